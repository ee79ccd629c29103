#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "externalscaler/externalscaler.grpc.pb.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/status.h"
#include "lib/rpc/status_proto.h"
#include "lib/testkit/certificates.h"
#include "lib/testkit/matchers.h"
#include "services/dispatcher/testing/server_fixture.h"

namespace slipway::dispatcher {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::HasSubstr;
namespace keda = ::externalscaler;

std::optional<agent::v1::SubmitResultRequest> Silent(const agent::v1::Grant&) {
  return std::nullopt;
}

// How agents come to a dispatcher, and how others learn how many there should be.
class AgentListenerTest : public ServerFixture {
 protected:
  // How the session of such an agent ended, which it has to.
  absl::Status EndOf(FakeAgent& agent) {
    if (!Eventually([&] { return agent.ended().has_value(); })) {
      return absl::DeadlineExceededError("the session goes on");
    }
    return *agent.ended();
  }
  int Connected() {
    const auto hosts = Call(&v1::DispatcherService::Stub::ListHosts, v1::ListHostsRequest());
    return hosts.ok() ? hosts->hosts(0).agents() : -1;
  }
  void ListenForAgents() {
    const testkit::CertificateFiles own = authority_.Issue({.address = "127.0.0.1"});
    config::v1::SecureListen& listen = *config_.mutable_agent_listen();
    listen.set_address("127.0.0.1:0");
    listen.set_certificate_file(own.certificate);
    listen.set_key_file(own.key);
    listen.set_client_ca_file(authority_.file());
    Restart();
  }
  std::unique_ptr<FakeAgent> FarAgent(const rpc::TlsFiles& files) {
    std::ifstream stored(directory_.File("token"));
    std::string token;
    std::getline(stored, token);
    return std::make_unique<FakeAgent>(
        rpc::MakeChannel(server_->far_agent_address(),
                         {.credentials = rpc::ClientTls(files).value()}),
        FakeAgent::Options{.name = "far", .token = token}, FakeAgent::Obedient);
  }
  std::unique_ptr<keda::ExternalScaler::Stub> Scaler() {
    config_.mutable_scaler_listen()->set_address("127.0.0.1:0");
    Restart();
    return keda::ExternalScaler::NewStub(rpc::MakeChannel(server_->scaler_address()));
  }
  static keda::ScaledObjectRef Trigger(const std::map<std::string, std::string>& metadata) {
    keda::ScaledObjectRef object;
    object.mutable_scalermetadata()->insert(metadata.begin(), metadata.end());
    return object;
  }
  static absl::StatusOr<int64_t> Value(keda::ExternalScaler::Stub& scaler,
                                       const std::map<std::string, std::string>& metadata) {
    grpc::ClientContext context;
    keda::GetMetricsRequest request;
    *request.mutable_scaledobjectref() = Trigger(metadata);
    keda::GetMetricsResponse response;
    const absl::Status status =
        rpc::FromGrpcStatus(scaler.GetMetrics(&context, request, &response));
    if (!status.ok()) return status;
    return response.metricvalues(0).metricvalue();
  }

  testkit::CertificateAuthority authority_;
};

TEST_F(AgentListenerTest, AnAgentOfANewerProtocolIsRefusedWithBothVersions) {
  FakeAgent& agent = AddAgent({.name = "newer", .protocol = 4, .protocol_min = 3}, {});

  const absl::Status end = EndOf(agent);

  EXPECT_THAT(end, FailsWithReason("PROTOCOL_UNSUPPORTED"));
  EXPECT_THAT(std::string(end.message()), HasSubstr("version 3 to 4"));
  EXPECT_THAT(std::string(end.message()), HasSubstr("the dispatcher is older"));
}

TEST_F(AgentListenerTest, AnAgentOfAnOlderProtocolIsRefusedWithBothVersions) {
  FakeAgent& agent = AddAgent({.name = "older", .protocol = 0, .protocol_min = 0}, {});

  const absl::Status end = EndOf(agent);

  EXPECT_THAT(end, FailsWithReason("PROTOCOL_UNSUPPORTED"));
  EXPECT_THAT(std::string(end.message()), HasSubstr("the agent is older"));
}

TEST_F(AgentListenerTest, AnAgentThatAlsoSpeaksThisProtocolIsWelcome) {
  FakeAgent& newer =
      AddAgent({.name = "newer", .protocol = 3, .protocol_min = 2}, FakeAgent::Obedient);
  FakeAgent& older =
      AddAgent({.name = "older", .protocol = 1, .protocol_min = 1}, FakeAgent::Obedient);
  ASSERT_OK(Submit(Plan({"a", "b"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_EQ(newer.protocol(), 2);
  EXPECT_EQ(older.protocol(), 1);
}

TEST_F(AgentListenerTest, ResultsComeOnTheSessionAndGrantsFollowWithoutBeats) {
  FakeAgent& agent = AddAgent({.name = "two", .protocol = 2}, Silent);
  ASSERT_OK(Submit(Plan({"a", "b"})));
  ASSERT_TRUE(Eventually([&] { return agent.grants().size() == 1; }));

  agent.Report(FakeAgent::Change(agent.grants()[0]), /*ready=*/true);

  ASSERT_TRUE(Eventually([&] { return agent.grants().size() == 2; }));
  ASSERT_EQ(agent.receipts().size(), 1u) << "it comes before the grant";
  EXPECT_EQ(agent.receipts()[0].attempt(), agent.grants()[0].attempt());
  EXPECT_EQ(agent.receipts()[0].receipt(), agent::v1::SubmitResultResponse::RECEIPT_ACCEPTED);
  agent.Report(FakeAgent::Change(agent.grants()[1]), /*ready=*/true);
  ExpectRun(v1::Run::STATE_SUCCEEDED);
}

TEST_F(AgentListenerTest, WhatIsWrongWithAResultOnTheSessionIsNamedAndTheSessionGoesOn) {
  FakeAgent& agent = AddAgent({.name = "clumsy", .protocol = 2}, Silent);
  ASSERT_OK(Submit(Plan({"a"})));
  ASSERT_TRUE(Eventually([&] { return agent.grants().size() == 1; }));

  agent.Report(FakeAgent::ResultOf(agent.grants()[0]), /*ready=*/true);

  ASSERT_TRUE(Eventually([&] { return agent.receipts().size() == 1; }));
  EXPECT_THAT(rpc::FromProto(agent.receipts()[0].error()), FailsWithReason("RESULT_MISSING"));
  agent.Report(FakeAgent::Change(agent.grants()[0]), /*ready=*/true);
  ExpectRun(v1::Run::STATE_SUCCEEDED);
  EXPECT_FALSE(agent.ended().has_value());
}

TEST_F(AgentListenerTest, ASecondAgentOfOneIdIsRefusedWhileTheFirstLives) {
  config_.mutable_beat_interval()->set_seconds(20);
  config_.mutable_beat_interval()->set_nanos(0);
  Restart();
  FakeAgent& first = AddAgent({.name = "same", .boot_nonce = 1}, FakeAgent::Obedient);
  ASSERT_TRUE(Eventually([&] { return Connected() == 1; }));

  FakeAgent& second = AddAgent({.name = "same", .boot_nonce = 2}, FakeAgent::Obedient);

  const absl::Status end = EndOf(second);
  EXPECT_THAT(end, FailsWithReason("AGENT_CONNECTED"));
  EXPECT_THAT(std::string(end.message()), HasSubstr("SLIPWAY_AGENT_ID"));
  EXPECT_FALSE(first.ended().has_value());
  EXPECT_EQ(Connected(), 1);
}

// Its machine may have been switched off with the connection open.
TEST_F(AgentListenerTest, AnAgentThatStartedAnewReplacesTheSilentOne) {
  config_.mutable_lease_timeout()->set_seconds(0);
  config_.mutable_lease_timeout()->set_nanos(600'000'000);
  Restart();
  FakeAgent& first = AddAgent({.name = "same", .boot_nonce = 1}, FakeAgent::Obedient);
  ASSERT_TRUE(Eventually([&] { return Connected() == 1; }));

  // It has beats of 200 ms and sends none, so it is silent soon; until then the other is refused.
  FakeAgent* second = nullptr;
  ASSERT_TRUE(Eventually([&] {
    if (second == nullptr || second->ended().has_value()) {
      second = &AddAgent({.name = "same", .boot_nonce = 2}, FakeAgent::Obedient);
    }
    return first.ended().has_value();
  }));

  EXPECT_THAT(EndOf(first), FailsWithReason("SESSION_REPLACED"));
}

TEST_F(AgentListenerTest, AnAgentFromAnotherMachineWorksOverTls) {
  ListenForAgents();
  const testkit::CertificateFiles client = authority_.Issue({});
  const std::unique_ptr<FakeAgent> agent = FarAgent(
      {.certificate = client.certificate, .key = client.key, .authorities = authority_.file()});
  ASSERT_OK(Submit(Plan({"a"})));

  ExpectRun(v1::Run::STATE_SUCCEEDED);
}

TEST_F(AgentListenerTest, WithoutACertificateOfTheAuthorityThereIsNoSession) {
  ListenForAgents();
  const testkit::CertificateAuthority other;
  testkit::CertificateAuthority stranger;
  const testkit::CertificateFiles strange = stranger.Issue({});
  const testkit::CertificateFiles expired = authority_.Issue({.valid = -absl::Hours(1)});
  const testkit::CertificateFiles good = authority_.Issue({});

  for (const rpc::TlsFiles& files :
       {rpc::TlsFiles{.authorities = authority_.file()},
        rpc::TlsFiles{strange.certificate, strange.key, authority_.file()},
        rpc::TlsFiles{expired.certificate, expired.key, authority_.file()},
        rpc::TlsFiles{good.certificate, good.key, other.file()}}) {
    EXPECT_EQ(EndOf(*FarAgent(files)).code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(Connected(), 0);
}

TEST_F(AgentListenerTest, AListenerForOtherMachinesNeedsACertificate) {
  server_.reset();
  config_.mutable_agent_listen()->set_address("127.0.0.1:0");
  EXPECT_THAT(StartServer().status(), FailsWithReason("CONFIG_INVALID"));

  config_.mutable_agent_listen()->set_certificate_file("/missing/certificate.pem");
  config_.mutable_agent_listen()->set_key_file("/missing/key.pem");
  EXPECT_THAT(StartServer().status(), FailsWithReason("TLS_FILES_INVALID"));

  config_.clear_agent_listen();
  Restart();
}

TEST_F(AgentListenerTest, KedaIsToldHowManyAgentsThereShouldBe) {
  const auto scaler = Scaler();
  EXPECT_THAT(Value(*scaler, {{"host", "test"}}), testkit::IsOkAndHolds(0));

  ASSERT_OK(Submit(Plan({"a", "b", "c:a,b"})));

  EXPECT_TRUE(Eventually([&] {
    return Value(*scaler, {{"host", "test"}}).value_or(0) == 2;
  })) << "what waits for others is no work yet";
  grpc::ClientContext context;
  keda::GetMetricSpecResponse spec;
  ASSERT_OK(rpc::FromGrpcStatus(
      scaler->GetMetricSpec(&context, Trigger({{"host", "test"}, {"targetSize", "3"}}), &spec)));
  EXPECT_EQ(spec.metricspecs(0).metricname(), "slipway-agents-wanted");
  EXPECT_EQ(spec.metricspecs(0).targetsize(), 3);
  AddAgent();
  ExpectRun(v1::Run::STATE_SUCCEEDED);
}

TEST_F(AgentListenerTest, KedaHearsWhenWorkComes) {
  const auto scaler = Scaler();
  grpc::ClientContext context;
  const auto stream = scaler->StreamIsActive(&context, Trigger({{"host", "test"}}));
  keda::IsActiveResponse active;
  ASSERT_TRUE(stream->Read(&active));
  EXPECT_FALSE(active.result());

  ASSERT_OK(Submit(Plan({"a"})));

  ASSERT_TRUE(stream->Read(&active));
  EXPECT_TRUE(active.result());
  grpc::ClientContext asked;
  keda::IsActiveResponse answer;
  ASSERT_OK(rpc::FromGrpcStatus(scaler->IsActive(&asked, Trigger({{"host", "test"}}), &answer)));
  EXPECT_TRUE(answer.result());
  context.TryCancel();
}

TEST_F(AgentListenerTest, WhatATriggerGetsWrongIsNamed) {
  const auto scaler = Scaler();

  EXPECT_THAT(Value(*scaler, {}).status(), FailsWithReason("SCALER_METADATA_INVALID"));
  EXPECT_THAT(Value(*scaler, {{"host", "test"}, {"targetSize", "0"}}).status(),
              FailsWithReason("SCALER_METADATA_INVALID"));
  EXPECT_THAT(Value(*scaler, {{"host", "test"}, {"metric", "cpu"}}).status(),
              FailsWithReason("SCALER_METADATA_INVALID"));
  EXPECT_THAT(Value(*scaler, {{"host", "north"}}).status(), FailsWithReason("HOST_UNKNOWN"));
}

}  // namespace
}  // namespace slipway::dispatcher
