#include <future>
#include <thread>

#include "lib/base/error.h"
#include "services/gateway/testing/gateway_fixture.h"

namespace slipway::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using testkit::FailsWithReason;
using testkit::StatusIs;

class ForwardingTest : public GatewayTest {};

TEST_F(ForwardingTest, PassesAnAnswerOnAndSaysWhoCalls) {
  ASSERT_OK_AND_ASSIGN(const auto response, GetPlan(admin_));

  EXPECT_EQ(response.plan().name(), "projects/p/plans/n");
  EXPECT_THAT(response.plan().title(), StartsWith("tokens/token-"));
  EXPECT_THAT(response.plan().title(), HasSubstr("|ADMIN|request-"));
}

TEST_F(ForwardingTest, StripsWhatACallerClaimsToBeAndItsSecret) {
  grpc::ClientContext context;
  Authorize(context, TokenOf(common::v1::ROLE_VIEWER));
  context.AddMetadata("slipway-role", "SERVICE");
  context.AddMetadata("slipway-principal", "root");
  context.AddMetadata("slipway-request-id", "chosen");
  context.AddMetadata("traceparent", "00-1-2-01");
  planner::v1::GetPlanRequest request;
  planner::v1::GetPlanResponse response;

  ASSERT_TRUE(Planner()->GetPlan(&context, request, &response).ok());

  EXPECT_THAT(response.plan().title(), HasSubstr("|VIEWER|request-"));
  EXPECT_THAT(response.plan().title(), Not(HasSubstr("root")));
  EXPECT_THAT(response.plan().summary(), Not(HasSubstr("authorization")));
  EXPECT_THAT(response.plan().summary(), HasSubstr("traceparent"));
}

TEST_F(ForwardingTest, PassesErrorsOnWithDetailsAndTrailers) {
  grpc::ClientContext context;
  Authorize(context, admin_);
  planner::v1::GetPlanRequest request;
  request.set_name("projects/p/plans/missing");
  planner::v1::GetPlanResponse response;

  const absl::Status status = rpc::FromGrpcStatus(Planner()->GetPlan(&context, request, &response));

  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound));
  ASSERT_TRUE(base::DetailOf(status).has_value());
  EXPECT_EQ(base::DetailOf(status)->reason, "PLAN_UNKNOWN");
  EXPECT_EQ(base::DetailOf(status)->metadata.at("plan"), "projects/p/plans/missing");
  EXPECT_EQ(base::DetailOf(status)->retry_after, absl::Seconds(3));
  EXPECT_EQ(context.GetServerTrailingMetadata().count("planner-trailer"), 1);
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-status-details-bin"), 1);
}

TEST_F(ForwardingTest, PassesLargeMessagesOn) {
  planner::v1::CreatePlanRequest request;
  request.set_spec(std::string(10 << 20, 's'));

  ASSERT_OK_AND_ASSIGN(
      const auto response,
      Call(admin_, Planner(), &planner::v1::PlannerService::StubInterface::CreatePlan, request));

  EXPECT_EQ(response.plan().spec(), request.spec());
}

TEST_F(ForwardingTest, PassesAStreamOnInOrderAndWhole) {
  grpc::ClientContext context;
  Authorize(context, admin_);
  dispatcher::v1::ReadLogRequest request;
  request.set_offset(500);
  const auto stream = Dispatcher()->ReadLog(&context, request);

  dispatcher::v1::ReadLogResponse response;
  int64_t pieces = 0;
  while (stream->Read(&response)) EXPECT_EQ(response.next_offset(), pieces++);

  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(pieces, 500);
}

TEST_F(ForwardingTest, ASlowReaderHoldsTheServiceBack) {
  grpc::ClientContext context;
  Authorize(context, admin_);
  dispatcher::v1::ReadLogRequest request;
  request.set_offset(10'000);
  const auto stream = Dispatcher()->ReadLog(&context, request);
  dispatcher::v1::ReadLogResponse response;
  ASSERT_TRUE(stream->Read(&response));

  // A call that takes the same way and ends shows that the stream had its chance.
  for (int call = 0; call < 200; ++call) ASSERT_OK(GetPlan(admin_));

  // 10,000 pieces are 640 MB; what gRPC buffers on the way is some MB.
  EXPECT_LT(fake_dispatcher_.pieces, 2'000);
  context.TryCancel();
  while (stream->Read(&response)) {
  }
}

TEST_F(ForwardingTest, ACallerThatCancelsEndsTheCallInTheService) {
  grpc::ClientContext context;
  Authorize(context, admin_);
  dispatcher::v1::ReadLogRequest request;
  request.set_follow(true);
  const auto stream = Dispatcher()->ReadLog(&context, request);
  dispatcher::v1::ReadLogResponse response;
  ASSERT_TRUE(stream->Read(&response));

  context.TryCancel();
  while (stream->Read(&response)) {
  }

  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  while (!fake_dispatcher_.cancelled) std::this_thread::yield();
}

TEST_F(ForwardingTest, DeadlinesHoldInTheService) {
  grpc::ClientContext context;
  Authorize(context, admin_);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  dispatcher::v1::ReadLogRequest request;
  request.set_follow(true);
  const auto stream = Dispatcher()->ReadLog(&context, request);
  dispatcher::v1::ReadLogResponse response;
  while (stream->Read(&response)) {
  }

  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  while (!fake_dispatcher_.cancelled) std::this_thread::yield();
}

TEST_F(ForwardingTest, AUnaryCallWithoutDeadlineGetsOne) {
  ASSERT_OK(GetPlan(admin_));

  EXPECT_TRUE(fake_planner_.has_deadline);
}

TEST_F(ForwardingTest, AServiceThatIsDownIsNamedAndBackWhenItIs) {
  planner_.Stop();
  EXPECT_THAT(GetPlan(admin_), FailsWithReason("BACKEND_UNAVAILABLE"));

  planner_.Start();

  absl::StatusOr<planner::v1::GetPlanResponse> response = GetPlan(admin_);
  while (absl::IsUnavailable(response.status())) response = GetPlan(admin_);
  EXPECT_OK(response);
}

TEST_F(ForwardingTest, UnknownMethodsAreNamed) {
  EXPECT_THAT(
      Call(admin_, Dispatcher(), &dispatcher::v1::DispatcherService::StubInterface::ListHosts,
           dispatcher::v1::ListHostsRequest())
          .status(),
      StatusIs(absl::StatusCode::kUnimplemented));  // The fake does not have it.
}

TEST_F(ForwardingTest, BothAddressesServe) {
  ASSERT_EQ(server_->addresses().size(), 2);
  channel_ = rpc::MakeChannel(server_->addresses()[1]);

  EXPECT_THAT(server_->addresses()[1], StartsWith("127.0.0.1:"));
  EXPECT_OK(GetPlan(admin_));
}

TEST_F(ForwardingTest, ARevokedTokenEndsItsStreamsAndItsCalls) {
  const v1::CreateTokenResponse created = CreateToken(common::v1::ROLE_VIEWER, "short-lived");
  grpc::ClientContext context;
  Authorize(context, created.secret());
  dispatcher::v1::ReadLogRequest read;
  read.set_follow(true);
  const auto stream = Dispatcher()->ReadLog(&context, read);
  dispatcher::v1::ReadLogResponse response;
  ASSERT_TRUE(stream->Read(&response));

  v1::RevokeTokenRequest request;
  request.set_name(created.token().name());
  ASSERT_OK(Call(admin_, Gateway(), &v1::GatewayService::StubInterface::RevokeToken, request));

  EXPECT_THAT(GetPlan(created.secret()), FailsWithReason("TOKEN_INVALID"));
  while (stream->Read(&response)) {
  }
  EXPECT_THAT(rpc::FromGrpcStatus(stream->Finish()), FailsWithReason("TOKEN_INVALID"));
}

}  // namespace
}  // namespace slipway::gateway
