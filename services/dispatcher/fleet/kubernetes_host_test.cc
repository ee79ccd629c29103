#include "services/dispatcher/fleet/kubernetes_host.h"

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/file.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "services/dispatcher/fleet/container_spec.h"
#include "services/dispatcher/testing/fake_cluster.h"
#include "services/dispatcher/testing/host_reports.h"

namespace slipway::dispatcher {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Fault = FakeCluster::Fault;
using Object = FakeCluster::Object;
using Objects = FakeCluster::Objects;

constexpr char kCluster[] = "hosts/cluster";
constexpr char kJob[] = "slipway-agent-1";
constexpr char kPod[] = "slipway-agent-1-x7k2p";

bool NoJobs(const Objects& objects) { return objects.empty(); }
bool PodRuns(const Objects& pods) {
  return pods.count(kPod) > 0 && pods.at(kPod)["status"]["phase"] == "Running";
}

class KubernetesHostTest : public ::testing::Test {
 protected:
  void SetUp() override { SetToken(FakeCluster::kToken); }
  void TearDown() override {
    if (host_ != nullptr) host_->Stop();
  }

  void SetToken(const std::string& token) {
    ASSERT_OK(base::WriteFileAtomic(directory_.File("token"), token + "\n"));
  }
  KubernetesHost::Options HostOptions() {
    return {.name = kCluster,
            .owner = "owner-1",
            .api = {.server = cluster_.server(),
                    .ca_file = cluster_.ca_file(),
                    .token_file = directory_.File("token"),
                    .user_agent = "slipway-dispatcher"},
            .cluster_namespace = FakeCluster::kNamespace,
            .job = {.image = "agent:1",
                    .pull_policy = "IfNotPresent",
                    .program = "/agent",
                    .uid = 64'201,
                    .memory_bytes = 1 << 30,
                    .milli_cpus = 500,
                    .workspace_bytes = 1 << 20,
                    .temporary_bytes = 1 << 20},
            .peers = {{.address = "10.0.0.5:7443", .pod_labels = {{"app", "dispatcher"}}},
                      {.address = "http://10.0.0.6:8080"}},
            .agent_config = "{}"};
  }
  void Begin(const std::vector<StartIntent>& intents = {}) {
    host_ = std::make_unique<KubernetesHost>(HostOptions(), client_, tokens_, *clock_);
    host_->Begin(intents, reports_.Sink());
  }
  void StartAgent() { host_->Start({.host = kCluster, .agent = "agent-1", .token = "token-1"}); }
  void BeginWithAgent() {
    Begin();
    StartAgent();
    ASSERT_TRUE(cluster_.Await("pods", PodRuns));
  }
  static StartIntent Intent() {
    return {.agent = "agent-1", .host = kCluster, .token_digest = AgentTokens::Digest("token-1")};
  }
  // A job as an earlier dispatcher made it.
  static Object JobOf(const std::string& agent, const std::string& owner = "owner-1") {
    Object job = Object::parse(
        JobSpec({.image = "agent:1", .owner = owner, .host = kCluster, .agent = agent}));
    job["metadata"]["uid"] = "uid-of-" + agent;
    return job;
  }

  testkit::TemporaryDirectory directory_;
  FakeCluster cluster_;
  http::Client client_;
  AgentTokens tokens_;
  testkit::FakeClock fake_clock_;
  base::Clock* clock_ = &base::RealClock();
  HostReports reports_;
  std::unique_ptr<KubernetesHost> host_;
};

TEST_F(KubernetesHostTest, AnAgentGetsARestrictedPodOfItsOwn) {
  BeginWithAgent();

  const Object job = cluster_.objects("jobs")[kJob];
  EXPECT_EQ(job["spec"]["backoffLimit"], 0);
  EXPECT_GT(job["spec"]["ttlSecondsAfterFinished"], 0);
  EXPECT_GT(job["spec"]["activeDeadlineSeconds"], 24 * 3600);
  const Object pod = job["spec"]["template"]["spec"];
  EXPECT_EQ(pod["restartPolicy"], "Never");
  EXPECT_EQ(pod["automountServiceAccountToken"], false);
  EXPECT_EQ(pod["enableServiceLinks"], false);
  EXPECT_EQ(pod["securityContext"]["runAsNonRoot"], true);
  EXPECT_EQ(pod["securityContext"]["runAsUser"], 64'201);
  EXPECT_EQ(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
  for (const char* const shared : {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"}) {
    EXPECT_EQ(pod[shared], false) << shared;
  }
  const Object container = pod["containers"][0];
  EXPECT_EQ(container["securityContext"]["allowPrivilegeEscalation"], false);
  EXPECT_EQ(container["securityContext"]["readOnlyRootFilesystem"], true);
  EXPECT_EQ(container["securityContext"]["capabilities"]["drop"], Object({"ALL"}));
  EXPECT_EQ(container["resources"]["limits"], container["resources"]["requests"]);
  EXPECT_EQ(container["resources"]["limits"]["cpu"], "500m");
  EXPECT_EQ(tokens_.Find("token-1")->agent, "agent-1");
}

TEST_F(KubernetesHostTest, ItsTokenIsInASecretThatGoesWithItsJob) {
  BeginWithAgent();

  const Object job = cluster_.objects("jobs")[kJob];
  EXPECT_THAT(job.dump(), Not(HasSubstr("token-1")));
  const Object secret = cluster_.objects("secrets")[kJob];
  EXPECT_EQ(secret["stringData"]["token"], "token-1");
  EXPECT_EQ(secret["metadata"]["ownerReferences"][0]["uid"], job["metadata"]["uid"]);
}

TEST_F(KubernetesHostTest, ThePolicyOfItsPodsIsThereBeforeAJobAndAllowsTwoPeers) {
  cluster_.Fail("POST networkpolicies", Fault::kError);
  Begin();
  EXPECT_THAT(reports_.Await(kCluster), HasSubstr("no leader"));
  EXPECT_EQ(cluster_.calls("POST jobs"), 0);
  EXPECT_EQ(reports_.Await(kCluster), "");
  StartAgent();
  ASSERT_TRUE(cluster_.Await("pods", PodRuns));

  const Object spec = cluster_.objects("networkpolicies")["slipway-agents-cluster"]["spec"];
  EXPECT_EQ(spec["policyTypes"], Object({"Ingress", "Egress"}));
  EXPECT_FALSE(spec.contains("ingress"));
  ASSERT_EQ(spec["egress"].size(), 2u);
  EXPECT_EQ(spec["egress"][0]["to"][0]["podSelector"]["matchLabels"]["app"], "dispatcher");
  EXPECT_EQ(spec["egress"][0]["ports"][0]["port"], 7443);
  EXPECT_EQ(spec["egress"][1]["to"][0]["ipBlock"]["cidr"], "10.0.0.6/32");
  EXPECT_EQ(spec["egress"][1]["ports"][0]["port"], 8080);
  const Object labels = cluster_.objects("pods")[kPod]["metadata"]["labels"];
  for (const auto& [key, value] : spec["podSelector"]["matchLabels"].items()) {
    EXPECT_EQ(labels[key], value);
  }
}

TEST_F(KubernetesHostTest, APolicyThatSomebodyOpenedIsClosedAgain) {
  cluster_.Put("networkpolicies",
               {{"metadata", {{"name", "slipway-agents-cluster"}}},
                {"spec", {{"podSelector", Object::object()}, {"policyTypes", {"Ingress"}}}}});
  Begin();
  StartAgent();
  ASSERT_TRUE(cluster_.Await("pods", PodRuns));

  const Object spec = cluster_.objects("networkpolicies")["slipway-agents-cluster"]["spec"];
  EXPECT_EQ(spec["egress"].size(), 2u);
  EXPECT_EQ(cluster_.calls("PUT networkpolicies"), 1);
}

// Whatever became of the answer, there is one job.
TEST_F(KubernetesHostTest, AJobThatWasMadeWithoutAnAnswerIsNotMadeTwice) {
  for (const Fault fault : {Fault::kLostReply, Fault::kLateError, Fault::kError}) {
    SCOPED_TRACE(static_cast<int>(fault));
    cluster_.Fail("POST jobs", fault);
    cluster_.Fail("POST secrets", fault);
    BeginWithAgent();
    EXPECT_EQ(cluster_.objects("jobs").size(), 1u);
    EXPECT_TRUE(reports_.empty());
    host_->Stop();
    cluster_.Remove("jobs", kJob);
    cluster_.Remove("pods", kPod);
    cluster_.Remove("secrets", kJob);
  }
}

TEST_F(KubernetesHostTest, AClusterThatAsksForLessIsObeyed) {
  cluster_.Fail("POST jobs", Fault::kBusy, 1);
  const absl::Duration begin = base::RealClock().Elapsed();

  BeginWithAgent();

  EXPECT_GE(base::RealClock().Elapsed() - begin, absl::Milliseconds(900));
  EXPECT_EQ(cluster_.calls("POST jobs"), 2);
  EXPECT_TRUE(reports_.empty()) << "nothing failed";
}

TEST_F(KubernetesHostTest, AnAgentThatEndedIsReportedAndItsJobRemoved) {
  BeginWithAgent();

  cluster_.SetPod(kJob, {{"phase", "Succeeded"}});

  EXPECT_EQ(reports_.Await("agent-1"), "exited with status 0");
  EXPECT_TRUE(cluster_.Await("jobs", NoJobs));
  EXPECT_TRUE(cluster_.Await("pods", NoJobs)) << "what belongs to a job goes with it";
  EXPECT_EQ(tokens_.Find("token-1"), std::nullopt);
}

TEST_F(KubernetesHostTest, AJobThatWasRemovedWithoutAnAnswerIsReportedOnce) {
  for (const Fault fault : {Fault::kLostReply, Fault::kLateError}) {
    SCOPED_TRACE(static_cast<int>(fault));
    BeginWithAgent();
    cluster_.Fail("DELETE jobs", fault);

    cluster_.SetPod(kJob, {{"phase", "Succeeded"}});

    EXPECT_EQ(reports_.Await("agent-1"), "exited with status 0");
    EXPECT_TRUE(cluster_.Await("jobs", NoJobs));
    EXPECT_TRUE(reports_.empty());
    host_->Stop();
  }
}

TEST_F(KubernetesHostTest, ACauseForWhichAPodCannotRunIsTold) {
  cluster_.set_runs_pods(false);
  Begin();
  StartAgent();
  ASSERT_TRUE(cluster_.Await("secrets", [](const Objects& all) { return all.size() == 1; }));

  cluster_.SetPod(kJob, Object::parse(R"({"phase":"Pending","containerStatuses":[{"state":
      {"waiting":{"reason":"ImagePullBackOff","message":"Back-off pulling image"}}}]})"));

  EXPECT_EQ(reports_.Await("agent-1"), "IMAGE_PULL_FAILED: Back-off pulling image");
  EXPECT_TRUE(cluster_.Await("jobs", NoJobs));
}

TEST_F(KubernetesHostTest, ACauseThatEndedAPodIsTold) {
  BeginWithAgent();

  cluster_.SetPod(kJob, Object::parse(R"({"phase":"Failed","containerStatuses":[{"state":
      {"terminated":{"reason":"OOMKilled","exitCode":137}}}]})"));

  EXPECT_EQ(reports_.Await("agent-1"), "OUT_OF_MEMORY: raise limits.memory_bytes");
  EXPECT_TRUE(cluster_.Await("jobs", NoJobs));
}

TEST_F(KubernetesHostTest, APodThatNoNodeHasRoomForIsGivenUpAfterAWhile) {
  clock_ = &fake_clock_;
  cluster_.set_runs_pods(false);
  Begin();
  StartAgent();
  ASSERT_TRUE(cluster_.Await("secrets", [](const Objects& all) { return all.size() == 1; }));
  cluster_.SetPod(kJob, Object::parse(R"({"phase":"Pending","conditions":[{"type":"PodScheduled",
      "status":"False","reason":"Unschedulable","message":"0/3 nodes are available"}]})"));

  fake_clock_.Advance(absl::Seconds(110));
  EXPECT_TRUE(reports_.empty()) << "a node may be added";
  fake_clock_.Advance(absl::Seconds(11));

  EXPECT_EQ(reports_.Await("agent-1"), "POD_UNSCHEDULABLE: 0/3 nodes are available");
  EXPECT_TRUE(cluster_.Await("jobs", NoJobs));
}

TEST_F(KubernetesHostTest, AQuotaThatForbidsPodsIsTold) {
  clock_ = &fake_clock_;
  cluster_.set_refuses_pods("pods \"x\" is forbidden: exceeded quota: team, requested: pods=1");
  Begin();
  StartAgent();
  ASSERT_TRUE(cluster_.Await("secrets", [](const Objects& all) { return all.size() == 1; }));

  fake_clock_.Advance(absl::Seconds(3));

  EXPECT_THAT(reports_.Await("agent-1"), StartsWith("QUOTA_EXCEEDED: Error creating"));
  EXPECT_TRUE(cluster_.Await("jobs", NoJobs));
}

TEST_F(KubernetesHostTest, APodThatTheClusterForbidsIsTold) {
  clock_ = &fake_clock_;
  cluster_.set_refuses_pods("pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"");
  Begin();
  StartAgent();
  ASSERT_TRUE(cluster_.Await("secrets", [](const Objects& all) { return all.size() == 1; }));

  fake_clock_.Advance(absl::Seconds(3));

  EXPECT_THAT(reports_.Await("agent-1"), StartsWith("POD_FORBIDDEN: Error creating"));
}

TEST_F(KubernetesHostTest, AQuotaThatForbidsJobsIsTold) {
  cluster_.Fail("POST jobs", Fault::kForbidden);
  Begin();

  StartAgent();

  EXPECT_THAT(reports_.Await("agent-1"), StartsWith("QUOTA_EXCEEDED: no job could be made"));
}

TEST_F(KubernetesHostTest, WatchesAreTakenUpWhereTheyWereCut) {
  BeginWithAgent();
  cluster_.SendBookmarks();
  const int lists = cluster_.calls("GET pods");
  const int watches = cluster_.calls("WATCH pods");

  cluster_.Cut();
  cluster_.SetPod(kJob, {{"phase", "Succeeded"}});

  EXPECT_EQ(reports_.Await("agent-1"), "exited with status 0");
  EXPECT_EQ(cluster_.calls("GET pods"), lists) << "nothing was listed anew";
  EXPECT_GT(cluster_.calls("WATCH pods"), watches);
  EXPECT_THAT(cluster_.last_query("WATCH pods"), HasSubstr("allowWatchBookmarks=true"));
}

TEST_F(KubernetesHostTest, WatchesThatTheServerEndsAreTakenUpAgain) {
  BeginWithAgent();
  const int watches = cluster_.calls("WATCH pods");

  cluster_.EndWatches();
  ASSERT_TRUE(cluster_.AwaitCalls("WATCH pods", watches + 1));
  cluster_.SetPod(kJob, {{"phase", "Succeeded"}});

  EXPECT_EQ(reports_.Await("agent-1"), "exited with status 0");
}

TEST_F(KubernetesHostTest, AVersionThatTheClusterForgotIsListedAnew) {
  BeginWithAgent();
  const int lists = cluster_.calls("GET pods");

  cluster_.End();
  EXPECT_THAT(reports_.Await(kCluster), Not(std::string()));
  cluster_.SetPod(kJob, {{"phase", "Succeeded"}});
  cluster_.Compact();
  cluster_.Begin();

  EXPECT_EQ(reports_.Await(kCluster), "");
  EXPECT_EQ(reports_.Await("agent-1"), "exited with status 0");
  EXPECT_GT(cluster_.calls("GET pods"), lists);
}

// With the bookmark, the version that is taken up is one that the cluster still knows.
TEST_F(KubernetesHostTest, ABookmarkSparesTheNextList) {
  BeginWithAgent();
  cluster_.Put("pods", {{"metadata", {{"name", "of-another"}}}, {"status", Object::object()}});
  cluster_.SendBookmarks();
  cluster_.Compact();
  const int lists = cluster_.calls("GET pods");
  const int watches = cluster_.calls("WATCH pods");

  cluster_.EndWatches();
  ASSERT_TRUE(cluster_.AwaitCalls("WATCH pods", watches + 1));
  cluster_.SetPod(kJob, {{"phase", "Succeeded"}});

  EXPECT_EQ(reports_.Await("agent-1"), "exited with status 0");
  EXPECT_EQ(cluster_.calls("GET pods"), lists);
}

TEST_F(KubernetesHostTest, ListsAreReadPageByPage) {
  cluster_.set_page_size(2);
  for (int number = 0; number < 5; ++number) {
    cluster_.Put("jobs", JobOf("agent-" + std::to_string(number)));
  }
  Begin({Intent()});

  EXPECT_TRUE(cluster_.Await("jobs", [](const Objects& jobs) { return jobs.size() == 1; }))
      << "all pages were seen";
  EXPECT_EQ(cluster_.objects("jobs").count(kJob), 1u);
}

TEST_F(KubernetesHostTest, AJobOfAnEarlierDispatcherIsAdopted) {
  BeginWithAgent();
  host_->Stop();
  Begin({Intent()});
  EXPECT_EQ(tokens_.Find("token-1")->agent, "agent-1");

  cluster_.SetPod(kJob, {{"phase", "Succeeded"}});

  EXPECT_EQ(reports_.Await("agent-1"), "exited with status 0");
  EXPECT_EQ(cluster_.calls("POST jobs"), 1);
}

TEST_F(KubernetesHostTest, AnIntentWithoutItsJobIsReported) {
  Begin({Intent()});

  EXPECT_THAT(reports_.Await("agent-1"), StartsWith("JOB_GONE"));
  EXPECT_EQ(cluster_.calls("POST jobs"), 0) << "its token died with the dispatcher that made it";
}

TEST_F(KubernetesHostTest, AJobThatSomebodyRemovedIsReported) {
  BeginWithAgent();

  cluster_.Remove("jobs", kJob);
  cluster_.Remove("pods", kPod);

  EXPECT_THAT(reports_.Await("agent-1"), StartsWith("JOB_GONE"));
}

TEST_F(KubernetesHostTest, WhatNobodyKnowsIsRemovedAndWhatIsOfOthersIsNot) {
  cluster_.Put("jobs", JobOf("agent-8"));
  cluster_.Put("jobs", JobOf("agent-9", "owner-2"));
  Object orphan = {{"metadata", JobOf("agent-7")["metadata"]}, {"status", {{"phase", "Running"}}}};
  cluster_.Put("pods", orphan);

  Begin();

  EXPECT_TRUE(cluster_.Await("jobs", [](const Objects& jobs) { return jobs.size() == 1; }));
  EXPECT_EQ(cluster_.objects("jobs").count("slipway-agent-9"), 1u);
  EXPECT_TRUE(cluster_.Await("pods", NoJobs)) << "a pod that lost its job";
}

TEST_F(KubernetesHostTest, AnAgentThatIsNotNeededGetsAMomentAndIsRemoved) {
  clock_ = &fake_clock_;
  BeginWithAgent();

  host_->Retire("agent-1");
  fake_clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(cluster_.calls("DELETE jobs"), 0);
  // It may have heard of it before or after that second.
  fake_clock_.Advance(absl::Seconds(6));
  if (!cluster_.AwaitCalls("DELETE jobs", 1, absl::Seconds(3))) {
    fake_clock_.Advance(absl::Seconds(6));
  }

  EXPECT_EQ(reports_.Await("agent-1"), "it was not needed any more");
  EXPECT_TRUE(cluster_.Await("pods", NoJobs));
}

TEST_F(KubernetesHostTest, AHostThatStopsLeavesPodsThatAreNeeded) {
  BeginWithAgent();

  host_->Stop();

  EXPECT_EQ(cluster_.objects("jobs").size(), 1u);
  EXPECT_TRUE(reports_.empty());
}

TEST_F(KubernetesHostTest, ARetiredAgentDoesNotOutliveTheHost) {
  BeginWithAgent();

  host_->Retire("agent-1");
  host_->Stop();

  EXPECT_EQ(cluster_.objects("jobs").size(), 0u);
}

TEST_F(KubernetesHostTest, AClusterThatIsAwayIsToldAndComesBack) {
  cluster_.End();
  Begin();
  EXPECT_THAT(reports_.Await(kCluster), HasSubstr("the cluster"));
  StartAgent();
  EXPECT_THAT(reports_.Await("agent-1"), StartsWith("CLUSTER_AWAY: ")) << "others can do its work";

  cluster_.Begin();

  EXPECT_EQ(reports_.Await(kCluster), "");
}

// A cluster replaces the tokens of service accounts while they are used.
TEST_F(KubernetesHostTest, ATokenThatWasReplacedIsReadAgain) {
  SetToken("of yesterday");
  Begin();
  EXPECT_THAT(reports_.Await(kCluster), StartsWith("Unauthorized"));

  SetToken(FakeCluster::kToken);

  EXPECT_EQ(reports_.Await(kCluster), "");
}

TEST_F(KubernetesHostTest, AClusterOfAnotherAuthorityIsNotBelieved) {
  const testkit::CertificateAuthority other;
  KubernetesHost::Options options = HostOptions();
  options.api.ca_file = other.file();
  host_ = std::make_unique<KubernetesHost>(options, client_, tokens_, *clock_);

  host_->Begin({}, reports_.Sink());

  EXPECT_THAT(reports_.Await(kCluster), HasSubstr("CERTIFICATE_UNTRUSTED"));
  EXPECT_EQ(cluster_.calls("GET jobs"), 0);
}

}  // namespace
}  // namespace slipway::dispatcher
