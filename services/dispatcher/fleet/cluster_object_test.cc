#include "services/dispatcher/fleet/cluster_object.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace slipway::dispatcher {
namespace {

using nlohmann::json;
using ::testing::StartsWith;
using Phase = ClusterObject::Phase;

ClusterObject PodIn(const char* status) {
  return ReadPod({{"metadata", {{"name", "pod-1"}, {"labels", {{"slipway.agent", "agent-1"}}}}},
                  {"status", json::parse(status)}});
}

struct Cause {
  const char* name;
  const char* status;
  const char* reason;
  const char* message;
};
class ClusterObjectNames : public ::testing::TestWithParam<Cause> {};

TEST_P(ClusterObjectNames, TheCauseOfAPod) {
  const ClusterObject pod = PodIn(GetParam().status);

  EXPECT_EQ(pod.reason, GetParam().reason);
  EXPECT_THAT(pod.message, StartsWith(GetParam().message));
  EXPECT_EQ(pod.agent, "agent-1");
}

INSTANTIATE_TEST_SUITE_P(
    , ClusterObjectNames,
    ::testing::Values(
        Cause{"Pull",
              R"({"phase":"Pending","containerStatuses":[{"state":{"waiting":
              {"reason":"ImagePullBackOff","message":"Back-off pulling image \"agent:1\""}}}]})",
              "IMAGE_PULL_FAILED", "Back-off"},
        Cause{"ImageName",
              R"({"phase":"Pending","containerStatuses":[{"state":{"waiting":
              {"reason":"InvalidImageName","message":"could not parse"}}}]})",
              "IMAGE_INVALID", ""},
        Cause{"OutOfMemory",
              R"({"phase":"Failed","containerStatuses":[{"state":{"terminated":
              {"reason":"OOMKilled","exitCode":137}}}]})",
              "OUT_OF_MEMORY", "raise limits.memory_bytes"},
        Cause{"Evicted",
              R"({"phase":"Failed","reason":"Evicted",
              "message":"The node was low on resource: memory."})",
              "POD_EVICTED", "The node was low"},
        Cause{"EvictedByApi",
              R"({"phase":"Failed","conditions":[{"type":"DisruptionTarget","status":"True",
              "reason":"EvictionByEvictionAPI","message":"Eviction API: evicting"}],
              "containerStatuses":[{"state":{"terminated":{"exitCode":143}}}]})",
              "POD_EVICTED", "Eviction API"},
        Cause{"Preempted",
              R"({"phase":"Failed","conditions":[{"type":"DisruptionTarget","status":"True",
              "reason":"PreemptionByScheduler","message":"preempting"}]})",
              "POD_PREEMPTED", ""},
        Cause{"NodeLost",
              R"({"phase":"Failed","conditions":[{"type":"DisruptionTarget","status":"True",
              "reason":"DeletionByTaintManager","message":"Taint manager"}]})",
              "NODE_LOST", "Taint manager"},
        Cause{"Exit",
              R"({"phase":"Failed","containerStatuses":[{"state":{"terminated":
              {"reason":"Error","exitCode":3}}}]})",
              "AGENT_FAILED", "exited with status 3"},
        Cause{"Signal",
              R"({"phase":"Failed","containerStatuses":[{"state":{"terminated":
              {"reason":"Error","exitCode":139}}}]})",
              "AGENT_FAILED", "ended by signal 11"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ClusterObjectTest, WaitingHelpsWithSomeCausesAndNotWithOthers) {
  const auto waits = [](const std::string& reason) {
    return PodIn((R"({"phase":"Pending","containerStatuses":[{"state":{"waiting":{"reason":")" +
                  reason + R"("}}}]})")
                     .c_str());
  };
  EXPECT_FALSE(waits("ErrImagePull").hopeless) << "it is tried again";
  EXPECT_TRUE(waits("ImagePullBackOff").hopeless);
  EXPECT_FALSE(waits("CreateContainerConfigError").hopeless) << "its secret may be on its way";
  EXPECT_EQ(waits("ContainerCreating").reason, "");
  EXPECT_EQ(waits("PodInitializing").phase, Phase::kPending);
}

TEST(ClusterObjectTest, TheLastWordsOfAnAgentAreTold) {
  const ClusterObject pod = PodIn(R"({"phase":"Failed","containerStatuses":[{"state":{"terminated":
      {"reason":"Error","exitCode":3,"message":"begins\nSANDBOX_BROKEN: its network is open\n"}}}]})");

  EXPECT_EQ(pod.message, "exited with status 3: SANDBOX_BROKEN: its network is open");
}

TEST(ClusterObjectTest, AJobThatIsTooOldSaysSo) {
  const ClusterObject job = ReadJob(json::parse(R"({"metadata":{"name":"j","uid":"u"},"status":
      {"conditions":[{"type":"FailureTarget","status":"True","reason":"PodFailurePolicy"},
      {"type":"Failed","status":"True","reason":"DeadlineExceeded","message":"late"}]}})"));

  EXPECT_EQ(job.phase, Phase::kFailed);
  EXPECT_EQ(job.reason, "DEADLINE_EXCEEDED");
  EXPECT_EQ(job.uid, "u");
}

TEST(ClusterObjectTest, AConditionThatDoesNotHoldSaysNothing) {
  const ClusterObject job = ReadJob(json::parse(
      R"({"metadata":{"name":"j"},"status":{"conditions":[{"type":"Failed","status":"False"}]}})"));

  EXPECT_EQ(job.phase, Phase::kRunning);
}

TEST(ClusterObjectTest, WhatIsNotAnObjectIsReadAsNothing) {
  for (const char* const text :
       {"null", "7", R"({"metadata":[],"status":"x"})", R"({"status":{"conditions":{"a":1}}})",
        R"({"metadata":{"labels":{"slipway.agent":5}},"status":{"phase":"Failed",
        "containerStatuses":[null,{"state":[]}]}})"}) {
    EXPECT_EQ(ReadPod(json::parse(text)).agent, "");
    EXPECT_EQ(ReadJob(json::parse(text)).name, "");
  }
}

TEST(ClusterObjectTest, TheReasonOfAForbiddenPodIsNamed) {
  EXPECT_EQ(PodRefusalReason("pods \"x\" is forbidden: exceeded quota: q"), "QUOTA_EXCEEDED");
  EXPECT_EQ(PodRefusalReason("pods \"x\" is forbidden: violates PodSecurity"), "POD_FORBIDDEN");
  EXPECT_EQ(PodRefusalReason("Internal error occurred: failed calling webhook"), "POD_REFUSED");
}

}  // namespace
}  // namespace slipway::dispatcher
