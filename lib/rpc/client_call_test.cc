#include "lib/rpc/client_call.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/rpc/echo_fixture.h"

namespace slipway::rpc {
namespace {

using testkit::StatusIs;

// Time passes only while somebody waits for it, and then at once.
class JumpingClock final : public base::Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch() + elapsed_; }
  absl::Duration Elapsed() const override { return elapsed_; }
  std::unique_ptr<base::Timer> RunAfter(absl::Duration delay,
                                        absl::AnyInvocable<void()> call) override {
    delays_.push_back(delay);
    elapsed_ += delay;
    call();
    return std::make_unique<base::Timer>();
  }
  const std::vector<absl::Duration>& delays() const { return delays_; }

 private:
  absl::Duration elapsed_;
  std::vector<absl::Duration> delays_;
};

TEST(RetryUnavailableTest, RetriesWithGrowingDelayUntilItSucceeds) {
  JumpingClock clock;
  int attempts = 0;
  const absl::Status status = RetryUnavailable(clock, absl::Seconds(10), [&](absl::Duration) {
    return ++attempts < 4 ? absl::UnavailableError("down") : absl::OkStatus();
  });

  EXPECT_OK(status);
  EXPECT_EQ(clock.delays(),
            (std::vector<absl::Duration>{absl::Milliseconds(20), absl::Milliseconds(40),
                                         absl::Milliseconds(80)}));
}

TEST(RetryUnavailableTest, OtherErrorsAreNotRetried) {
  JumpingClock clock;
  const absl::Status status = RetryUnavailable(
      clock, absl::Seconds(10), [](absl::Duration) { return absl::InternalError("broken"); });

  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInternal));
  EXPECT_TRUE(clock.delays().empty());
}

TEST(RetryUnavailableTest, StopsWithinTheTimeout) {
  JumpingClock clock;
  absl::Duration least_left = absl::InfiniteDuration();
  const absl::Status status = RetryUnavailable(clock, absl::Seconds(5), [&](absl::Duration left) {
    least_left = std::min(least_left, left);
    return absl::UnavailableError("down");
  });

  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_LT(clock.Elapsed(), absl::Seconds(5));
  EXPECT_GT(least_left, absl::ZeroDuration());
  EXPECT_EQ(clock.delays().back(), absl::Seconds(1));
}

TEST(RetryUnavailableTest, ServersWishToWaitIsHonoured) {
  JumpingClock clock;
  bool first = true;
  const absl::Status status = RetryUnavailable(clock, absl::Seconds(5), [&](absl::Duration) {
    return std::exchange(first, false) ? base::RetryableError(absl::StatusCode::kUnavailable,
                                                              "BUSY", "later", absl::Seconds(2))
                                       : absl::OkStatus();
  });

  EXPECT_OK(status);
  EXPECT_EQ(clock.delays(), std::vector<absl::Duration>{absl::Seconds(2)});
}

using CallWithRetryTest = EchoFixture;

TEST_F(CallWithRetryTest, SurvivesARestartOfTheServer) {
  const auto old_stub = std::move(stub_);
  server_.reset();
  std::thread restart([this, &old_stub] {
    // Restart only after an attempt has failed.
    while (CallUnary(*old_stub, &Stub::Echo, Text("")).ok()) std::this_thread::yield();
    StartServer();
  });

  const auto result = CallWithRetry(base::RealClock(), *old_stub, &Stub::Echo, Text("again"));
  restart.join();

  ASSERT_OK(result);
  EXPECT_EQ(result->text(), "again");
}

TEST(ForwardedOptionsTest, KeepWhoCallsAndTheEarlierDeadline) {
  const Call call({.principal = "user:ada",
                   .role = "viewer",
                   .request_id = "request-1",
                   .deadline = base::RealClock().Elapsed() + absl::Seconds(1)});

  const CallOptions options = ForwardedOptions(call, absl::Minutes(1));

  EXPECT_EQ(options.principal, "user:ada");
  EXPECT_EQ(options.role, "viewer");
  EXPECT_EQ(options.request_id, "request-1");
  EXPECT_LE(options.timeout, absl::Seconds(1));
  EXPECT_EQ(ForwardedOptions(Call(), absl::Minutes(1)).timeout, absl::Minutes(1));
}

}  // namespace
}  // namespace slipway::rpc
