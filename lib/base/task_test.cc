#include "lib/base/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/base/thread_pool.h"

namespace slipway::base {
namespace {

// Gives its callers what a test hands in later.
struct Source {
  absl::AnyInvocable<void(int)> waiting;
  Callback<int> Next() {
    return Callback<int>([this](Callback<int>::Done done) { waiting = std::move(done); });
  }
};

struct Counted {
  explicit Counted(int& alive) : alive(alive) { ++alive; }
  ~Counted() { --alive; }
  int& alive;
};

Task<int> Add(Source& source, int& alive) {
  const Counted counted(alive);
  const int first = co_await source.Next();
  const int second = co_await source.Next();
  co_return first + second;
}

Task<std::unique_ptr<int>> Twice(Source& source, int& alive) {
  const int once = co_await Add(source, alive);
  const int again = co_await Add(source, alive);
  co_return std::make_unique<int>(once + again);
}

TEST(TaskTest, GoesOnWhereItWaitedAndGivesItsResultOnce) {
  Source source;
  int alive = 0;
  std::vector<int> results;
  StartTask<std::unique_ptr<int>>(Twice(source, alive),
                                  [&](std::unique_ptr<int> result) { results.push_back(*result); });
  for (int value = 1; value <= 4; ++value) {
    EXPECT_EQ(alive, 1);
    EXPECT_TRUE(results.empty());
    auto waiting = std::move(source.waiting);
    waiting(value);
  }

  EXPECT_EQ(results, std::vector<int>{10});
  EXPECT_EQ(alive, 0);
}

TEST(TaskTest, CallbackMayComeBeforeTheWaitBegins) {
  int result = 0;
  const auto task = []() -> Task<int> {
    const int value = co_await Callback<int>([](Callback<int>::Done done) { done(7); });
    co_return value;
  };
  StartTask<int>(task(), [&](int value) { result = value; });

  EXPECT_EQ(result, 7);
}

TEST(TaskTest, FrameIsGoneBeforeItsResultIsTold) {
  Source source;
  int alive = 0;
  int alive_at_end = -1;
  StartTask<int>(Add(source, alive), [&](int) { alive_at_end = alive; });
  for (int i = 0; i < 2; ++i) {
    auto waiting = std::move(source.waiting);
    waiting(i);
  }

  EXPECT_EQ(alive_at_end, 0);
}

Task<std::thread::id> ThreadAfter(Executor& executor) {
  co_await GoOn(executor);
  co_return std::this_thread::get_id();
}

TEST(TaskTest, GoesOnOnAnExecutorOrHereWhenThatHasStopped) {
  ThreadPool pool({.threads = 1});
  Mutex mutex;
  CondVar changed;
  std::vector<std::thread::id> threads;
  const auto add = [&](std::thread::id id) {
    MutexLock lock(mutex);
    threads.push_back(id);
    changed.NotifyAll();
  };
  StartTask<std::thread::id>(ThreadAfter(pool), add);
  {
    MutexLock lock(mutex);
    while (threads.empty()) changed.Wait(mutex);
  }
  pool.Stop();
  StartTask<std::thread::id>(ThreadAfter(pool), add);

  ASSERT_EQ(threads.size(), 2u);
  EXPECT_NE(threads[0], std::this_thread::get_id());
  EXPECT_EQ(threads[1], std::this_thread::get_id());
}

}  // namespace
}  // namespace slipway::base
