#include "services/dispatcher/fleet/process_fleet.h"

#include <sys/stat.h>
#include <unistd.h>

#include <future>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/file.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::dispatcher {
namespace {

constexpr char kHost[] = "hosts/local";

class ProcessFleetTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(base::MakeDirectories(workspaces_, 0755)); }

  // The agent's program, as a shell script.
  void Install(const std::string& script) {
    ASSERT_OK(base::WriteFileAtomic(program_, "#!/bin/sh\n" + script, 0755));
    ASSERT_EQ(chmod(program_.c_str(), 0755), 0);
  }
  std::map<std::string, ProcessFleet::Program> Programs() const {
    return {{kHost, {.path = program_, .config = "none", .workspaces = workspaces_}}};
  }
  bool Exists(const std::string& name) const {
    return access((workspaces_ + "/" + name).c_str(), F_OK) == 0;
  }

  testkit::TemporaryDirectory directory_;
  const std::string program_ = directory_.File("agent");
  const std::string workspaces_ = directory_.File("w");
  AgentTokens tokens_;
};

TEST_F(ProcessFleetTest, WhatADeadSuiteLeftIsRemoved) {
  ASSERT_OK(base::MakeDirectories(workspaces_ + "/a-1/tree", 0755));
  ASSERT_OK(base::WriteFileAtomic(workspaces_ + "/a-1.lock", ""));
  ASSERT_OK(base::MakeDirectories(workspaces_ + "/.snapshots/kept", 0755));

  ProcessFleet fleet(Programs(), tokens_, base::RealClock());
  fleet.Begin([](const std::string&, const std::string&) {});
  fleet.Stop();

  EXPECT_FALSE(Exists("a-1"));
  EXPECT_FALSE(Exists("a-1.lock"));
  EXPECT_TRUE(Exists(".snapshots/kept"));
}

TEST_F(ProcessFleetTest, WhatAKilledAgentLeftIsRemovedWithoutAnother) {
  Install(absl::StrCat("mkdir -p ", workspaces_, "/a-2/tree; : > ", workspaces_,
                       "/a-2.lock; kill -KILL $$"));
  std::promise<std::string> exited;
  ProcessFleet fleet(Programs(), tokens_, base::RealClock());
  fleet.Begin([&](const std::string&, const std::string& problem) { exited.set_value(problem); });
  fleet.Start({.host = kHost, .agent = "agent-1", .token = "token"});

  EXPECT_EQ(exited.get_future().get(), "ended by signal 9");
  fleet.Stop();

  EXPECT_FALSE(Exists("a-2"));
  EXPECT_FALSE(Exists("a-2.lock"));
}

}  // namespace
}  // namespace slipway::dispatcher
