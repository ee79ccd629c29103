#include "lib/rpc/serve.h"

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/error.h"
#include "lib/log/scoped_sink.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/echo_fixture.h"

namespace slipway::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using testkit::FailsWithReason;
using testkit::StatusIs;

class ServeTest : public EchoFixture {
 protected:
  struct Held {
    PendingCall pending;
    std::future<absl::StatusOr<pb::HoldResponse>> result;
  };
  Held StartHold(const CallOptions& options = {}) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<pb::HoldResponse>>>();
    auto result = promise->get_future();
    PendingCall pending = CallUnaryAsync(
        *stub_->async(), &Stub::async_interface::Hold, pb::HoldRequest(), options,
        [promise](absl::StatusOr<pb::HoldResponse> response) { promise->set_value(response); });
    return {.pending = pending, .result = std::move(result)};
  }
};

TEST_F(ServeTest, CallCarriesWhatTheCallerSent) {
  ASSERT_OK_AND_ASSIGN(
      const pb::EchoResponse response,
      CallUnary(*stub_, &Stub::Echo, Text("hello"),
                {.principal = "user:ada", .role = "operator", .request_id = "request-7"}));

  EXPECT_EQ(response.text(), "hello");
  EXPECT_EQ(response.principal(), "user:ada");
  EXPECT_EQ(response.role(), "operator");
  EXPECT_EQ(response.request_id(), "request-7");
  EXPECT_TRUE(response.has_deadline());
}

TEST_F(ServeTest, RequestIdIsMadeWhenTheCallerSendsNone) {
  ASSERT_OK_AND_ASSIGN(
      const pb::EchoResponse response,
      CallUnary(*stub_, &Stub::Echo, Text(""), {.timeout = absl::InfiniteDuration()}));

  EXPECT_THAT(response.request_id(), StartsWith("request-"));
  EXPECT_FALSE(response.has_deadline());
}

TEST_F(ServeTest, RequestIdOfTheLogContextIsPassedOn) {
  const log::ScopedContext context({.request_id = "request-9"});

  ASSERT_OK_AND_ASSIGN(const pb::EchoResponse response, CallUnary(*stub_, &Stub::Echo, Text("")));

  EXPECT_EQ(response.request_id(), "request-9");
}

TEST_F(ServeTest, MetadataThatCannotTravelIsRefusedByTheClient) {
  for (const std::string& bad : {std::string("a\nb"), std::string(257, 'x')}) {
    EXPECT_THAT(CallUnary(*stub_, &Stub::Echo, Text(""), {.principal = bad}),
                FailsWithReason("METADATA_INVALID"));
  }
}

TEST_F(ServeTest, ErrorArrivesWithItsDetail) {
  const auto result =
      CallUnary(*stub_, &Stub::Echo, Failure(absl::StatusCode::kFailedPrecondition, "not now"));

  EXPECT_THAT(result, StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(result.status().message(), "not now");
  const auto detail = base::DetailOf(result.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "TEST_FAILED");
  EXPECT_EQ(detail->metadata.at("key"), "value");
  EXPECT_EQ(detail->retry_after, absl::Milliseconds(1'500));
}

TEST_F(ServeTest, InternalErrorIsLoggedOnceAndNotShown) {
  std::vector<std::string> lines;
  absl::StatusOr<pb::EchoResponse> result;
  {
    const log::ScopedSink sink([&](absl::string_view line) { lines.emplace_back(line); });
    result = CallUnary(*stub_, &Stub::Echo, Failure(absl::StatusCode::kInternal, "disk sda1"),
                       {.request_id = "request-3"});
  }
  EXPECT_EQ(result.status().message(), "internal error (request request-3)");
  EXPECT_THAT(result, FailsWithReason("TEST_FAILED"));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], HasSubstr("disk sda1"));
  EXPECT_THAT(lines[0], HasSubstr("\"request_id\":\"request-3\""));
}

TEST_F(ServeTest, LargestPossibleErrorArrives) {
  std::string text;  // Three bytes for each in the grpc-message header.
  for (int i = 0; i < 10'000; ++i) text += "\xC3\xA9";

  const auto result =
      CallUnary(*stub_, &Stub::Echo, Failure(absl::StatusCode::kInvalidArgument, text));

  EXPECT_THAT(result, FailsWithReason("TEST_FAILED"));
  EXPECT_LE(result.status().message().size(), kErrorMessageBytesMax);
}

TEST_F(ServeTest, CallsAreCountedByCode) {
  const std::string series =
      "slipway_rpc_server_calls_total{rpc=\"slipway.rpc.test.v1.Echo\",code=\"NOT_FOUND\"}";
  EXPECT_THAT(metrics::Render(), Not(HasSubstr(series)));

  EXPECT_FALSE(
      CallUnary(*stub_, &Stub::Echo, Failure(absl::StatusCode::kNotFound, "nothing")).ok());

  EXPECT_THAT(metrics::Render(), HasSubstr(series + " 1\n"));
  EXPECT_THAT(metrics::Render(),
              HasSubstr("slipway_rpc_server_seconds_count{rpc=\"slipway.rpc.test.v1.Echo\"}"));
}

TEST_F(ServeTest, AsyncHandlerAnswersWhenItIsReady) {
  Held held = StartHold();
  const Call call = handlers_.AwaitHeld();
  EXPECT_FALSE(call.IsCancelled());

  handlers_.Release();

  const absl::StatusOr<pb::HoldResponse> result = held.result.get();
  ASSERT_OK(result);
  EXPECT_FALSE(result->cancelled());
}

TEST_F(ServeTest, CancelledCallerIsSeenByTheHandlerAndItsCopyOutlivesTheCall) {
  Held held = StartHold();
  const Call call = handlers_.AwaitHeld();

  held.pending.Cancel();

  EXPECT_THAT(held.result.get(), StatusIs(absl::StatusCode::kCancelled));
  while (!call.IsCancelled()) std::this_thread::yield();
  handlers_.Release();
  server_.reset();
  EXPECT_TRUE(call.IsCancelled());
}

TEST_F(ServeTest, DeadlineEndsTheCall) {
  Held held = StartHold({.timeout = absl::Milliseconds(30)});
  const Call call = handlers_.AwaitHeld();

  EXPECT_THAT(held.result.get(), StatusIs(absl::StatusCode::kDeadlineExceeded));
  while (!call.IsCancelled()) std::this_thread::yield();
  handlers_.Release();
}

TEST_F(ServeTest, FullExecutorRefusesTheCall) {
  executor_.Stop();

  EXPECT_THAT(CallUnary(*stub_, &Stub::Echo, Text("")), FailsWithReason("SHUTTING_DOWN"));
}

TEST_F(ServeTest, ManyCallsAtOnceAreAllAnswered) {
  constexpr int kCalls = 500;
  base::Mutex mutex;
  base::CondVar changed;
  int answered = 0;
  for (int i = 0; i < kCalls; ++i) {
    CallUnaryAsync(*stub_->async(), &Stub::async_interface::Echo, Text(std::to_string(i)), {},
                   [&, i](absl::StatusOr<pb::EchoResponse> response) {
                     base::MutexLock lock(mutex);
                     answered +=
                         response.ok() && response->text() == std::to_string(i) ? 1 : -kCalls;
                     changed.NotifyAll();
                   });
  }
  base::MutexLock lock(mutex);
  while (answered < kCalls && answered >= 0) changed.Wait(mutex);
  EXPECT_EQ(answered, kCalls);
}

}  // namespace
}  // namespace slipway::rpc
