#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>
#include <sys/stat.h>

#include <atomic>
#include <set>
#include <thread>

#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "lib/base/digest.h"
#include "lib/base/error.h"
#include "services/gateway/rpc/convert.h"
#include "services/gateway/rpc/method_table.h"
#include "services/gateway/testing/gateway_fixture.h"

namespace slipway::gateway {
namespace {

using testkit::FailsWithReason;
using testkit::StatusIs;
using Stub = v1::GatewayService::StubInterface;

class AccessTest : public GatewayTest {
 protected:
  // Calls any method with an empty request.
  absl::Status CallAny(const std::string& token, const std::string& method) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    if (!token.empty()) Authorize(context, token);
    grpc::ByteBuffer request;
    grpc::Slice nothing;
    request = grpc::ByteBuffer(&nothing, 1);
    grpc::ByteBuffer response;
    grpc::CompletionQueue queue;
    grpc::GenericStub stub(channel_);
    auto call = stub.PrepareUnaryCall(&context, "/" + method, request, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return rpc::FromGrpcStatus(status);
  }
  absl::StatusOr<v1::ExchangeTokenResponse> Exchange(const std::string& one_time_token) {
    v1::ExchangeTokenRequest request;
    request.set_one_time_token(one_time_token);
    return Call("", Gateway(), &Stub::ExchangeToken, request);
  }
  void Restart() {
    StopGateway();
    StartGateway();
  }
};

TEST_F(AccessTest, EveryMethodLetsExactlyTheRightRolesThrough) {
  const MethodTable table;
  ASSERT_GT(table.methods().size(), 60);
  const std::map<Role, std::string> tokens = {{Role::kViewer, TokenOf(common::v1::ROLE_VIEWER)},
                                              {Role::kOperator, TokenOf(common::v1::ROLE_OPERATOR)},
                                              {Role::kReviewer, TokenOf(common::v1::ROLE_REVIEWER)},
                                              {Role::kAdmin, TokenOf(common::v1::ROLE_ADMIN)}};
  for (const Method* method : table.methods()) {
    if (method->name == "slipway.events.v1.EventLogService/Watch") continue;  // Endless.
    for (const auto& [role, token] : tokens) {
      const std::string reason = base::ReasonOf(CallAny(token, method->name));
      if (method->for_services_only()) {
        EXPECT_EQ(reason, "METHOD_INTERNAL") << method->name;
      } else if (role < method->required_role) {
        EXPECT_EQ(reason, "ROLE_REQUIRED") << method->name << " by " << RoleName(role);
      } else {
        EXPECT_TRUE(reason != "ROLE_REQUIRED" && reason != "METHOD_INTERNAL" &&
                    reason != "TOKEN_MISSING" && reason != "METHOD_UNKNOWN")
            << method->name << " by " << RoleName(role) << ": " << reason;
      }
    }
    if (method->required_role == Role::kPublic) continue;
    EXPECT_THAT(CallAny("", method->name), FailsWithReason("TOKEN_MISSING")) << method->name;
    EXPECT_THAT(CallAny("wrong", method->name), FailsWithReason("TOKEN_INVALID")) << method->name;
  }
}

TEST_F(AccessTest, AMethodThatIsNotThereIsNamed) {
  EXPECT_THAT(CallAny(admin_, "slipway.planner.v1.PlannerService/Fly"),
              FailsWithReason("METHOD_UNKNOWN"));
}

TEST_F(AccessTest, AViewerCannotApproveAndAReviewerCan) {
  const auto approve = [&](const std::string& token) {
    return Call(token, Planner(), &planner::v1::PlannerService::StubInterface::ApprovePlan,
                planner::v1::ApprovePlanRequest());
  };
  EXPECT_THAT(approve(TokenOf(common::v1::ROLE_VIEWER)), FailsWithReason("ROLE_REQUIRED"));
  EXPECT_THAT(approve(TokenOf(common::v1::ROLE_OPERATOR)), FailsWithReason("ROLE_REQUIRED"));
  EXPECT_EQ(fake_planner_.calls, 0);
  EXPECT_OK(approve(TokenOf(common::v1::ROLE_REVIEWER)));
}

TEST_F(AccessTest, ReflectionListsEveryPublicServiceWithoutAToken) {
  const auto stub = grpc::reflection::v1::ServerReflection::NewStub(channel_);
  grpc::ClientContext context;
  const auto stream = stub->ServerReflectionInfo(&context);
  grpc::reflection::v1::ServerReflectionRequest request;
  request.set_list_services("*");
  stream->Write(request);
  grpc::reflection::v1::ServerReflectionResponse response;
  ASSERT_TRUE(stream->Read(&response));
  std::set<std::string> listed;
  for (const auto& service : response.list_services_response().service()) {
    listed.insert(service.name());
  }
  const MethodTable table;
  EXPECT_EQ(table.public_services().size(), 8);
  for (const std::string& service : table.public_services()) {
    EXPECT_TRUE(listed.contains(service)) << service;
    request.set_file_containing_symbol(service);
    stream->Write(request);
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_TRUE(response.has_file_descriptor_response()) << service;
  }
  EXPECT_FALSE(listed.contains("slipway.agent.v1.AgentService"));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(AccessTest, AOneTimeTokenWorksOnceEvenAfterARestart) {
  ASSERT_OK(base::WriteFileAtomic(directory_.File("one-time.token"), "open-sesame\n"));
  Restart();

  ASSERT_OK_AND_ASSIGN(const auto exchanged, Exchange("open-sesame"));
  EXPECT_EQ(exchanged.token().role(), common::v1::ROLE_ADMIN);
  EXPECT_OK(GetPlan(exchanged.secret()));
  EXPECT_THAT(Exchange("open-sesame"), FailsWithReason("TOKEN_INVALID"));
  EXPECT_THAT(Exchange("other"), FailsWithReason("TOKEN_INVALID"));

  Restart();
  EXPECT_THAT(Exchange("open-sesame"), FailsWithReason("TOKEN_INVALID"));
  EXPECT_OK(GetPlan(exchanged.secret()));
}

TEST_F(AccessTest, OfManyExchangesAtOnceOneWins) {
  ASSERT_OK(base::WriteFileAtomic(directory_.File("one-time.token"), "open-sesame"));
  Restart();
  std::atomic<int> won = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] { won += Exchange("open-sesame").ok() ? 1 : 0; });
  }
  for (std::thread& caller : callers) caller.join();

  EXPECT_EQ(won, 1);
}

TEST_F(AccessTest, TheLocalTokenIsPrivateAndKept) {
  const std::string before = admin_;
  struct stat info = {};
  ASSERT_EQ(stat(directory_.File("local.token").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600);

  Restart();
  EXPECT_EQ(admin_, before);
  ASSERT_OK(base::RemoveTree(directory_.File("local.token")));
  Restart();
  EXPECT_NE(admin_, before);
  EXPECT_OK(GetPlan(admin_));
}

TEST_F(AccessTest, SecretsAreNotInTheDatabase) {
  StopGateway();  // Which writes everything into the main file.

  ASSERT_OK_AND_ASSIGN(const std::string file, base::ReadFile(directory_.File("gateway.db")));
  EXPECT_EQ(file.find(admin_), std::string::npos);
  EXPECT_NE(file.find(base::Sha256Hex(admin_)), std::string::npos);
}

TEST_F(AccessTest, TokensAreListedNewestFirstInPagesWithoutSecrets) {
  for (int i = 0; i < 5; ++i) CreateToken(common::v1::ROLE_VIEWER, absl::StrCat("token ", i));
  v1::ListTokensRequest request;
  request.set_page_size(4);
  std::vector<std::string> titles;
  do {
    ASSERT_OK_AND_ASSIGN(const auto page, Call(admin_, Gateway(), &Stub::ListTokens, request));
    for (const v1::Token& token : page.tokens()) titles.push_back(token.title());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());

  ASSERT_EQ(titles.size(), 6);
  EXPECT_EQ(titles[0], "token 4");
  request.set_page_size(-1);
  EXPECT_THAT(Call(admin_, Gateway(), &Stub::ListTokens, request), FailsWithReason("PAGE_INVALID"));
}

TEST_F(AccessTest, BadTokensAreNotMade) {
  const auto create = [&](const std::string& title, common::v1::Role role) {
    v1::CreateTokenRequest request;
    request.set_title(title);
    request.set_role(role);
    return Call(admin_, Gateway(), &Stub::CreateToken, request);
  };
  EXPECT_THAT(create("", common::v1::ROLE_VIEWER), FailsWithReason("TITLE_INVALID"));
  EXPECT_THAT(create(std::string(101, 'x'), common::v1::ROLE_VIEWER),
              FailsWithReason("TITLE_INVALID"));
  EXPECT_THAT(create("a", common::v1::ROLE_SERVICE), FailsWithReason("ROLE_INVALID"));
  EXPECT_THAT(create("a", common::v1::ROLE_UNSPECIFIED), FailsWithReason("ROLE_INVALID"));
  EXPECT_OK(create("a", common::v1::ROLE_VIEWER));
  EXPECT_THAT(create("a", common::v1::ROLE_VIEWER), FailsWithReason("TOKEN_EXISTS"));
}

TEST_F(AccessTest, RevokingIsIdempotentAndNamesWhatIsNotThere) {
  const v1::CreateTokenResponse created = CreateToken(common::v1::ROLE_VIEWER, "short");
  v1::RevokeTokenRequest request;
  request.set_name(created.token().name());
  EXPECT_OK(Call(admin_, Gateway(), &Stub::RevokeToken, request));
  EXPECT_OK(Call(admin_, Gateway(), &Stub::RevokeToken, request));
  EXPECT_THAT(GetPlan(created.secret()), FailsWithReason("TOKEN_INVALID"));
  Restart();
  EXPECT_THAT(GetPlan(created.secret()), FailsWithReason("TOKEN_INVALID"));
  request.set_name("tokens/none");
  EXPECT_THAT(Call(admin_, Gateway(), &Stub::RevokeToken, request),
              FailsWithReason("TOKEN_UNKNOWN"));
}

TEST_F(AccessTest, DenialsAndTokensAndAdministratorsCallsAreEvents) {
  GetPlan("wrong").status().IgnoreError();
  CreateToken(common::v1::ROLE_VIEWER, "seen");
  grpc::ClientContext context;
  Authorize(context, admin_);
  events::v1::WatchRequest request;
  request.mutable_filter()->add_logs("gateway");
  const auto stream = Events()->Watch(&context, request);
  std::set<std::string> kinds;
  events::v1::WatchResponse response;
  while (kinds.size() < 3 && stream->Read(&response)) {
    for (const events::v1::Event& event : response.events()) {
      kinds.insert(event.kind());
      if (event.kind() == "access.denied") {
        EXPECT_EQ(event.payload().access_denied().method(),
                  "slipway.planner.v1.PlannerService/GetPlan");
      }
      if (event.kind() == "method.called") {
        EXPECT_EQ(event.payload().method_called().code(), "OK");
      }
    }
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"access.denied", "method.called", "token.changed"}));
  context.TryCancel();
  while (stream->Read(&response)) {
  }
}

TEST_F(AccessTest, StatusNamesTheServicesThatAreDown) {
  ledger_.Stop();

  ASSERT_OK_AND_ASSIGN(const auto status,
                       Call(admin_, Gateway(), &Stub::GetStatus, v1::GetStatusRequest()));

  ASSERT_EQ(status.services_size(), 6);
  for (const auto& service : status.services()) {
    EXPECT_EQ(service.serving(), service.name() != "ledger") << service.name();
    EXPECT_EQ(service.problem().empty(), service.serving());
  }
  EXPECT_EQ(status.version(), "1.2.3");
}

TEST_F(AccessTest, TheCallerIsTold) {
  ASSERT_OK_AND_ASSIGN(const auto caller, Call(TokenOf(common::v1::ROLE_OPERATOR), Gateway(),
                                               &Stub::GetCaller, v1::GetCallerRequest()));
  EXPECT_EQ(caller.role(), common::v1::ROLE_OPERATOR);
  EXPECT_TRUE(caller.principal().rfind("tokens/", 0) == 0);
}

}  // namespace
}  // namespace slipway::gateway
