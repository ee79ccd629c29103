#include "lib/rpc/steady_time.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/echo_fixture.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/stepped_clock.h"

namespace slipway::rpc {
namespace {

using std::chrono::hours;
using testkit::StatusIs;

// Far more than any of the waits, far less than any step of the clock.
constexpr std::chrono::seconds kPatience(20);

class SteadyWaitTest : public ::testing::Test {
 protected:
  ~SteadyWaitTest() override { testkit::SetWallClockAhead(hours(0)); }

  // False when `wait` has to be helped to its end by a clock that is set far ahead.
  static bool EndsByItself(std::future<void>& wait) {
    const bool ended = wait.wait_for(kPatience) == std::future_status::ready;
    if (!ended) testkit::SetWallClockAhead(hours(24));
    wait.wait();
    return ended;
  }
};

TEST_F(SteadyWaitTest, EndsThoughTheClockIsSetBackMeanwhile) {
  KeepWaitsSteady();
  absl::Mutex mutex;
  absl::CondVar never;
  bool waits = false;
  std::future<void> wait = std::async(std::launch::async, [&] {
    absl::MutexLock lock(&mutex);
    waits = true;
    never.WaitWithTimeout(&mutex, absl::Milliseconds(300));
  });

  mutex.LockWhen(absl::Condition(&waits));  // The end of the wait is known: it gave the lock up.
  mutex.Unlock();
  testkit::SetWallClockAhead(hours(-2));

  EXPECT_TRUE(EndsByItself(wait));
}

class SteadyCallTest : public EchoFixture {
 protected:
  ~SteadyCallTest() override { testkit::SetWallClockAhead(hours(0)); }
};

TEST_F(SteadyCallTest, IsNotLateThoughTheClockIsSetAheadBeforeItBegins) {
  grpc::ClientContext context;
  ASSERT_OK(PrepareContext({.timeout = absl::Minutes(1)}, context));

  testkit::SetWallClockAhead(hours(1));

  pb::EchoResponse response;
  EXPECT_OK(FromGrpcStatus(stub_->Echo(&context, Text("after"), &response)));
}

TEST_F(SteadyCallTest, EndsAtItsDeadlineThoughTheClockIsSetBack) {
  std::promise<absl::Status> ended;
  std::future<absl::Status> end = ended.get_future();
  CallUnaryAsync(
      *stub_->async(), &pb::EchoService::StubInterface::async_interface::Hold, {},
      {.timeout = absl::Milliseconds(300)},
      [&](absl::StatusOr<pb::HoldResponse> result) { ended.set_value(result.status()); });
  handlers_.AwaitHeld();

  testkit::SetWallClockAhead(hours(-2));

  const bool ended_by_itself = end.wait_for(kPatience) == std::future_status::ready;
  testkit::SetWallClockAhead(hours(24));  // Ends what waits still.
  EXPECT_TRUE(ended_by_itself);
  EXPECT_THAT(end.get(), StatusIs(absl::StatusCode::kDeadlineExceeded));
  handlers_.Release();
}

TEST_F(SteadyCallTest, ServerKnowsWhatIsLeftThoughTheClocksDiffer) {
  std::promise<void> ended;
  CallUnaryAsync(*stub_->async(), &pb::EchoService::StubInterface::async_interface::Hold, {},
                 {.timeout = absl::Minutes(1)},
                 [&](absl::StatusOr<pb::HoldResponse>) { ended.set_value(); });
  const Call held = handlers_.AwaitHeld();

  testkit::SetWallClockAhead(hours(1));

  EXPECT_LE(held.time_left(), absl::Seconds(61));
  EXPECT_GT(held.time_left(), absl::ZeroDuration());
  handlers_.Release();
  ended.get_future().wait();
}

}  // namespace
}  // namespace slipway::rpc
