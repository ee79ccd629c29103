#include "services/dispatcher/domain/dispatch_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <thread>
#include <vector>

namespace slipway::dispatcher {
namespace {

using ::testing::ElementsAre;

TEST(DispatchLoopTest, RunsOnTheCallingThreadWhenItsOwnHasNothingToDo) {
  int batches = 0;
  std::thread::id ran_on;
  DispatchLoop loop;
  loop.Start([&batches] { ++batches; });

  loop.PostOrRun([&ran_on] { ran_on = std::this_thread::get_id(); });

  EXPECT_EQ(ran_on, std::this_thread::get_id());
  EXPECT_EQ(batches, 1);
}

TEST(DispatchLoopTest, ACommandRunsBehindThoseThatWereBeforeItAndNeverBesideThem) {
  std::latch running(1);
  std::latch go_on(1);
  std::vector<std::string> order;
  DispatchLoop loop;
  loop.Start([] {});
  loop.Post([&] {
    running.count_down();
    go_on.wait();
    order.push_back("posted");
  });
  running.wait();

  loop.PostOrRun([&order] { order.push_back("while busy"); });
  go_on.count_down();
  loop.Stop();

  EXPECT_THAT(order, ElementsAre("posted", "while busy"));
}

TEST(DispatchLoopTest, WhatIsPostedWhileACallerRunsComesAfterIt) {
  std::vector<std::string> order;
  DispatchLoop loop;
  loop.Start([] {});

  loop.PostOrRun([&] {
    loop.Post([&order] { order.push_back("posted meanwhile"); });
    order.push_back("the caller's");
  });
  loop.Stop();

  EXPECT_THAT(order, ElementsAre("the caller's", "posted meanwhile"));
}

}  // namespace
}  // namespace slipway::dispatcher
