#include "services/dispatcher/fleet/docker_host.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/file.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "services/dispatcher/fleet/container_spec.h"
#include "services/dispatcher/testing/fake_engine.h"
#include "services/dispatcher/testing/host_reports.h"

namespace slipway::dispatcher {
namespace {

using ::testing::HasSubstr;
using Containers = FakeEngine::Containers;
using Fault = FakeEngine::Fault;

constexpr char kEast[] = "hosts/east";
constexpr char kName[] = "slipway-agent-1";

bool Runs(const Containers& containers) {
  return containers.count(kName) > 0 && containers.at(kName).state == "running";
}
bool IsEmpty(const Containers& containers) { return containers.empty(); }

class DockerHostTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(base::MakeDirectories(sockets_, 0711)); }
  void TearDown() override {
    if (host_ != nullptr) host_->Stop();
  }

  void Begin(const std::vector<StartIntent>& intents = {}) {
    host_ = std::make_unique<DockerHost>(
        DockerHost::Options{.name = kEast,
                            .owner = "owner-1",
                            .engine = {.address = "unix:" + directory_.File("engine.sock")},
                            .image = "agent:1",
                            .agent_program = "/agent",
                            .agent_config = "{}",
                            .socket_directory = sockets_,
                            .agent_address = "unix:" + directory_.File("agents.sock"),
                            .proxy_address = "unix:" + directory_.File("models.sock"),
                            .uid = geteuid() == 0 ? 64'201u : geteuid(),
                            .memory_bytes = 1 << 30,
                            .milli_cpus = 500,
                            .processes = 99,
                            .workspace_bytes = 1 << 20,
                            .temporary_bytes = 1 << 20},
        client_, tokens_, clock_);
    host_->Begin(intents, reports_.Sink());
  }
  void StartAgent() { host_->Start({.host = kEast, .agent = "agent-1", .token = "token-1"}); }
  static std::map<std::string, std::string> Labels() {
    return {{kOwnerLabel, "owner-1"}, {kHostLabel, kEast}};
  }
  static StartIntent Intent() {
    return {.agent = "agent-1", .host = kEast, .token_digest = AgentTokens::Digest("token-1")};
  }
  bool HasDirectory() const { return access((sockets_ + "/agent-1").c_str(), F_OK) == 0; }

  testkit::TemporaryDirectory directory_;
  const std::string sockets_ = directory_.File("s");
  FakeEngine engine_{directory_.File("engine.sock")};
  http::Client client_;
  AgentTokens tokens_;
  testkit::FakeClock clock_;
  HostReports reports_;
  std::unique_ptr<DockerHost> host_;
};

TEST_F(DockerHostTest, AnAgentGetsAHardenedContainerAndTwoSockets) {
  Begin();
  StartAgent();

  ASSERT_TRUE(engine_.Await(Runs));

  nlohmann::json spec;
  engine_.Await([&](const Containers& containers) {
    spec = containers.at(kName).spec;
    return true;
  });
  const nlohmann::json& host = spec["HostConfig"];
  EXPECT_EQ(host["NetworkMode"], "none");
  EXPECT_EQ(host["ReadonlyRootfs"], true);
  EXPECT_EQ(host["CapDrop"], nlohmann::json({"ALL"}));
  EXPECT_EQ(host["SecurityOpt"], nlohmann::json({"no-new-privileges"}));
  EXPECT_EQ(host["Init"], false);
  EXPECT_EQ(host["PidsLimit"], 99);
  EXPECT_EQ(host["NanoCpus"], 500'000'000);
  EXPECT_EQ(host["MemorySwap"], host["Memory"]);
  EXPECT_EQ(host["Binds"], nlohmann::json({sockets_ + "/agent-1:/run/slipway:ro"}));
  EXPECT_NE(spec["User"], "0:0");
  EXPECT_EQ(tokens_.Find("token-1")->agent, "agent-1");
  for (const char* const name : {"agents.sock", "models.sock"}) {
    struct stat status = {};
    ASSERT_EQ(stat((sockets_ + "/agent-1/" + name).c_str(), &status), 0) << name;
    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    EXPECT_EQ(status.st_mode & 0777, 0600u);
  }
}

struct Applied {
  const char* name;
  const char* call;
  Fault fault;
};
class AppliedButNotTold : public DockerHostTest, public ::testing::WithParamInterface<Applied> {};

TEST_P(AppliedButNotTold, MakesOneContainerThatRunsOnce) {
  engine_.Fail(GetParam().call, GetParam().fault);
  Begin();
  StartAgent();

  ASSERT_TRUE(engine_.Await(Runs));

  engine_.Exit(kName, 0);
  EXPECT_EQ(reports_.Await("agent-1"), "exited with status 0");
  EXPECT_TRUE(engine_.Await(IsEmpty));
  EXPECT_TRUE(reports_.empty());
  EXPECT_EQ(tokens_.Find("token-1"), std::nullopt);
  EXPECT_FALSE(HasDirectory());
}

INSTANTIATE_TEST_SUITE_P(, AppliedButNotTold,
                         ::testing::Values(Applied{"CreateLost", "create", Fault::kLostReply},
                                           Applied{"CreateFailedLate", "create", Fault::kLateError},
                                           Applied{"CreateFailed", "create", Fault::kError},
                                           Applied{"StartLost", "start", Fault::kLostReply},
                                           Applied{"RemoveLost", "remove", Fault::kLostReply},
                                           Applied{"RemoveFailedLate", "remove", Fault::kLateError},
                                           Applied{"RemoveFailed", "remove", Fault::kError}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(DockerHostTest, AStartThatFailedLateLeavesNothing) {
  engine_.Fail("start", Fault::kLateError);
  Begin();
  StartAgent();

  EXPECT_THAT(reports_.Await("agent-1"), HasSubstr("context deadline exceeded"));
  EXPECT_TRUE(engine_.Await(IsEmpty));
}

TEST_F(DockerHostTest, AMissingImageIsReportedInTheEnginesWords) {
  engine_.Fail("create", Fault::kNotFound);
  Begin();
  StartAgent();

  EXPECT_EQ(reports_.Await("agent-1"), "no container could be made: No such image: agent:1");
  EXPECT_FALSE(HasDirectory());
}

TEST_F(DockerHostTest, AnEngineThatGoesOnFailingIsGivenUp) {
  engine_.Fail("create", Fault::kError, 100);
  Begin();
  StartAgent();

  EXPECT_EQ(reports_.Await("agent-1"), "no container could be made: the disk is full");
  EXPECT_EQ(engine_.calls("create"), 3);
}

TEST_F(DockerHostTest, AnEndIsReportedWithItsCauseAndTheLastLine) {
  Begin();
  StartAgent();
  ASSERT_TRUE(engine_.Await(Runs));

  engine_.Exit(kName, 3, "error: no sandbox");

  EXPECT_EQ(reports_.Await("agent-1"), "exited with status 3: error: no sandbox");
  EXPECT_TRUE(engine_.Await(IsEmpty));
}

TEST_F(DockerHostTest, OutOfMemoryIsSaid) {
  Begin();
  StartAgent();
  ASSERT_TRUE(engine_.Await(Runs));

  engine_.Exit(kName, 137);

  EXPECT_EQ(reports_.Await("agent-1"), "ran out of memory");
}

TEST_F(DockerHostTest, WhatNobodyAskedForIsRemovedAndWhatIsOfOthersStays) {
  engine_.Add("slipway-agent-9", Labels());
  engine_.Add("slipway-agent-8", {{kOwnerLabel, "owner-2"}, {kHostLabel, kEast}});
  engine_.Add("slipway-agent-7", {{kOwnerLabel, "owner-1"}, {kHostLabel, "hosts/west"}});
  Begin();

  EXPECT_TRUE(engine_.Await([](const Containers& containers) {
    return containers.size() == 2 && containers.count("slipway-agent-9") == 0;
  }));
}

TEST_F(DockerHostTest, ContainersThatLiveOnAreAdoptedAndNotStartedAgain) {
  engine_.Add(kName, Labels());
  Begin({Intent()});

  EXPECT_EQ(tokens_.Find("token-1")->agent, "agent-1");
  engine_.Exit(kName, 0);

  EXPECT_EQ(reports_.Await("agent-1"), "exited with status 0");
  EXPECT_EQ(engine_.calls("create"), 0);
}

TEST_F(DockerHostTest, AnIntentWithoutAContainerIsReportedGone) {
  Begin({Intent()});

  EXPECT_EQ(reports_.Await("agent-1"), "its container is gone");
  EXPECT_EQ(engine_.calls("create"), 0);
}

TEST_F(DockerHostTest, AContainerThatWasMadeButNotStartedBeforeACrashIsStarted) {
  engine_.Add(kName, Labels());
  engine_.Await([](const Containers& containers) {
    const_cast<FakeEngine::Container&>(containers.at(kName)).state = "created";
    return true;
  });
  Begin({Intent()});

  EXPECT_TRUE(engine_.Await(Runs));
}

TEST_F(DockerHostTest, AnEngineThatIsAwayIsToldOnceAndAgentsAreNotWaitedFor) {
  engine_.End();
  Begin();
  EXPECT_THAT(reports_.Await(kEast), HasSubstr("the engine is away"));
  StartAgent();
  EXPECT_THAT(reports_.Await("agent-1"), HasSubstr("the engine is away"));

  engine_.Begin();

  EXPECT_EQ(reports_.Await(kEast), "");
  EXPECT_TRUE(reports_.empty());
}

TEST_F(DockerHostTest, AnAgentThatIsNotNeededIsAskedToEndAndThenRemoved) {
  Begin();
  StartAgent();
  ASSERT_TRUE(engine_.Await(Runs));
  host_->Retire("agent-1");
  // Until the order was seen nothing is due: a further agent shows that it was.
  host_->Start({.host = kEast, .agent = "agent-2", .token = "token-2"});
  ASSERT_TRUE(engine_.Await(
      [](const Containers& containers) { return containers.count("slipway-agent-2") > 0; }));

  clock_.Advance(absl::Seconds(5));
  EXPECT_TRUE(engine_.Await(
      [](const Containers& containers) { return containers.at(kName).signal == "TERM"; }));
  clock_.Advance(absl::Seconds(5));

  EXPECT_EQ(reports_.Await("agent-1"), "its container is gone");
}

TEST_F(DockerHostTest, AStopRemovesWhatWasRetiredAndLeavesTheRestToTheNextDispatcher) {
  Begin();
  StartAgent();
  host_->Start({.host = kEast, .agent = "agent-2", .token = "token-2"});
  ASSERT_TRUE(engine_.Await([](const Containers& containers) {
    return Runs(containers) && containers.count("slipway-agent-2") > 0;
  }));

  host_->Retire("agent-2");
  host_->Stop();

  EXPECT_TRUE(engine_.Await(
      [](const Containers& containers) { return Runs(containers) && containers.size() == 1; }));
  EXPECT_TRUE(HasDirectory());
}

}  // namespace
}  // namespace slipway::dispatcher
