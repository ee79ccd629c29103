// The core on its real storage in memory, with time that a test moves: what simulated histories
// found once, each by itself, and what is decided by how long nothing happened.
#include <gmock/gmock.h>

#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "services/dispatcher/domain/dispatcher.h"
#include "services/dispatcher/storage/sqlite_task_store.h"

namespace slipway::dispatcher {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kThePlan[] = "projects/p/plans/n";

// Says yes to everything; a test may have it ask a person about patches of one task.
class YesReviewer final : public Reviewer {
 public:
  void Inspect(const InspectStep& step, Done<Inspection> done) override {
    const bool asks = step.attempt.task.id == quarantined;
    std::move(done)(Inspection{.accepted = !asks, .human_may_accept = asks});
  }
  void CreateCandidate(const CandidateStep& step, Done<CandidateOutcome> done) override {
    Candidate candidate{.name = step.plan.empty() ? step.attempt.Name() : step.plan};
    if (with_validators && step.plan.empty()) candidate.validators = {{.name = "tests"}};
    std::move(done)(CandidateOutcome(candidate));
  }
  void RecordEvidence(const EvidenceStep&, Done<EvidenceOutcome> done) override {
    std::move(done)(EvidenceOutcome{.passed = true});
  }
  void Judge(const JudgeStep&, Done<Judgement> done) override {
    std::move(done)(Judgement{.verdict = Verdict::kPassed});
  }
  void Diagnose(const DiagnosisStep&, Done<Diagnosis> done) override {
    std::move(done)(Diagnosis());
  }
  void Merge(const MergeStep& step, Done<Merged> done) override {
    std::move(done)(Merged{.branch = "b", .commit = "merge of " + step.candidate});
  }
  void Review(std::vector<ReviewStep> steps, Done<ReviewOutcomes> done) override {
    ReviewOutcomes outcomes;
    for (const ReviewStep& step : steps) {
      const std::string name = step.inspection.attempt.Name();
      const bool asks = step.inspection.attempt.task.id == quarantined;
      ReviewOutcome outcome{.inspection = {.accepted = !asks, .human_may_accept = asks}};
      Candidate candidate{.name = name};
      if (with_validators) candidate.validators = {{.name = "tests"}};
      if (!asks) outcome.candidate = candidate;
      if (!asks && !with_validators) {
        outcome.judgement = Judgement{.verdict = Verdict::kPassed};
        outcome.merged = Merged{.branch = "b", .commit = "merge of " + name};
      }
      outcomes.push_back(std::move(outcome));
    }
    std::move(done)(std::move(outcomes));
  }

  bool with_validators = false;
  std::string quarantined;
};

class NoModels final : public Models {
 public:
  void IssueKey(const KeyRequest&,
                absl::AnyInvocable<void(absl::StatusOr<IssuedKey>) &&> done) override {
    std::move(done)(IssuedKey{.key = "key"});
  }
  void RevokeKeys(const AttemptKey&, absl::AnyInvocable<void(absl::Status) &&> done) override {
    std::move(done)(absl::OkStatus());
  }
};

class NoFleet final : public AgentFleet {
 public:
  void Start(Order) override {}
  void Retire(const std::string&) override {}
  void Adopt(const std::vector<StartIntent>&) override {}
};

class Orders final : public AgentSession {
 public:
  void Send(AgentOrder order) override { all.push_back(std::move(order)); }
  void End(absl::Status) override {}
  std::vector<AgentOrder> all;
};

// An agent that takes what it is offered and holds it until a test says otherwise.
struct HandAgent {
  std::string id;
  std::string host = "hosts/x";
  int64_t boot_nonce = 1;
  std::shared_ptr<Orders> session;
  std::optional<AttemptKey> held;
  size_t handled = 0;
  int64_t beats = 0;
  int64_t activity = 0;
};

class DispatcherCoreTest : public ::testing::Test {
 protected:
  DispatcherCoreTest() { Restart(); }
  ~DispatcherCoreTest() override {
    dispatcher_.reset();
    const absl::StatusOr<AuditResult> audit = store_->Audit();
    EXPECT_OK(audit.status());
    for (const AuditCheck& check : audit->checks) {
      EXPECT_THAT(check.breaches, IsEmpty()) << check.invariant;
    }
  }

  // A new dispatcher takes up what is stored; agents have to dial again.
  void Restart() {
    dispatcher_.reset();
    dispatcher_ = std::make_unique<Dispatcher>(Dispatcher::Collaborators{
        .store = *store_,
        .reviewer = reviewer_,
        .models = models_,
        .fleet = fleet_,
        .clock = clock_,
        .ids = ids_,
        .random = [] { return 0.5; },
        .settings = {.hosts = {{.name = "hosts/x", .slots = 4}, {.name = "hosts/y", .slots = 4}}},
        .own_thread = false});
    ASSERT_OK(dispatcher_->Start().status());
    for (auto& agent : agents_) agent->session = nullptr;
    Run();
  }

  void Run() {
    bool ran = true;
    while (ran) {
      ran = dispatcher_->RunQueued();
      store_->RunQueued();
      for (auto& agent : agents_) ran = Obey(*agent) || ran;
    }
  }

  bool Obey(HandAgent& agent) {
    if (agent.session == nullptr || agent.handled == agent.session->all.size()) return false;
    const AgentOrder order = agent.session->all[agent.handled++];
    if (const auto* offer = std::get_if<GrantOffer>(&order)) {
      agent.held = offer->attempt;
      dispatcher_->OnGrantAnswer(agent.session, offer->attempt, true, "");
    }
    const auto* answer = std::get_if<BeatAnswer>(&order);
    const auto* welcome = std::get_if<Welcome>(&order);
    const auto& verdicts = answer != nullptr    ? answer->verdicts
                           : welcome != nullptr ? welcome->verdicts
                                                : std::vector<GrantVerdict>();
    for (const GrantVerdict& verdict : verdicts) {
      if (!verdict.keep && agent.held == verdict.attempt) agent.held.reset();
    }
    return true;
  }

  HandAgent& AddAgent(const std::string& id, const std::string& host = "hosts/x") {
    agents_.push_back(std::make_unique<HandAgent>(HandAgent{.id = id, .host = host}));
    Dial(*agents_.back());
    return *agents_.back();
  }

  void Dial(HandAgent& agent) {
    agent.session = std::make_shared<Orders>();
    agent.handled = 0;
    AgentHello hello{.agent = agent.id, .host = agent.host, .boot_nonce = agent.boot_nonce};
    if (agent.held.has_value()) hello.held = {*agent.held};
    dispatcher_->OnHello(agent.session, hello, /*process=*/false);
    Run();
  }

  // The agent dies and its successor comes at once.
  void Die(HandAgent& agent) {
    dispatcher_->OnSessionEnded(agent.session);
    agent.held.reset();
    ++agent.boot_nonce;
    Dial(agent);
  }

  void Beat(HandAgent& agent) {
    if (agent.session == nullptr) return;
    AgentBeat beat{.sequence = ++agent.beats, .activity = agent.activity, .phase = "work"};
    if (agent.held.has_value()) beat.held = {*agent.held};
    dispatcher_->OnBeat(agent.session, beat);
  }

  // Time in which every agent beats; those in `silent` do not.
  void Pass(absl::Duration time, const std::set<std::string>& silent = {}) {
    for (absl::Duration passed; passed < time; passed += absl::Seconds(1)) {
      clock_.Advance(absl::Seconds(1));
      for (auto& agent : agents_) {
        if (silent.count(agent->id) == 0) Beat(*agent);
      }
      Run();
    }
  }

  void Submit(std::vector<TaskSpec> tasks) {
    for (TaskSpec& task : tasks) {
      task.title = "Task " + task.id;
      task.role = "builder";
    }
    dispatcher_->SubmitPlan(
        {.plan = kThePlan, .version = 1, .base_commit = "base", .tasks = tasks, .digest = "d"},
        base::Reply<dispatcher::Run>([](const auto& run) { EXPECT_OK(run.status()); }));
    Run();
  }

  Receipt HandIn(const HandAgent& agent, const AttemptKey& key, AttemptResult result) {
    Receipt got = Receipt::kStale;
    dispatcher_->SubmitResult({.host = agent.host}, key, std::move(result),
                              base::Reply<Receipt>([&got](const auto& receipt) {
                                EXPECT_OK(receipt.status());
                                if (receipt.ok()) got = *receipt;
                              }));
    Run();
    return got;
  }
  Receipt HandIn(HandAgent& agent, AttemptResult result) {
    const AttemptKey key = agent.held.value();
    const Receipt receipt = HandIn(agent, key, std::move(result));
    agent.held.reset();
    Beat(agent);  // It can take the next.
    Run();
    return receipt;
  }

  // On the session. Returns what the agent was told since, in order.
  std::vector<AgentOrder> Report(HandAgent& agent, const AttemptKey& key, bool ready) {
    const size_t told = agent.session->all.size();
    dispatcher_->OnResult(agent.session, {.host = agent.host},
                          {.attempt = key, .result = ChangeResult{.patch = "p"}, .ready = ready});
    Run();
    return {agent.session->all.begin() + static_cast<std::ptrdiff_t>(told),
            agent.session->all.end()};
  }

  static AttemptKey Key(const std::string& task, int64_t epoch) {
    return {.task = {.plan = kThePlan, .id = task}, .epoch = epoch};
  }
  Task TaskNow(const std::string& id) {
    return store_->FindTask({.plan = kThePlan, .id = id}).value().value();
  }
  Attempt AttemptNow(const std::string& task, int64_t epoch) {
    return store_->FindAttempt(Key(task, epoch)).value().value();
  }
  void Resolve(const std::string& task, Decision decision) {
    dispatcher_->ResolveCheckpoint(
        {.task = {.plan = kThePlan, .id = task}, .number = TaskNow(task).open_checkpoint}, decision,
        "", "ada", base::Reply<Resolution>([](const auto& result) { EXPECT_OK(result.status()); }));
    Run();
  }

  testkit::FakeClock clock_;
  testkit::SequentialIds ids_;
  std::unique_ptr<SqliteTaskStore> store_ =
      SqliteTaskStore::Open(SqliteTaskStore::Options{.path = ":memory:", .own_thread = false},
                            clock_, ids_)
          .value();
  YesReviewer reviewer_;
  NoModels models_;
  NoFleet fleet_;
  std::vector<std::unique_ptr<HandAgent>> agents_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(DispatcherCoreTest, AnAgentThatComesBackWithoutItsAttemptAfterARestartGetsNoSecondOne) {
  Submit({{.id = "a"}, {.id = "b"}});
  HandAgent& agent = AddAgent("one");
  ASSERT_EQ(agent.held, Key("a", 1));

  Restart();
  agent.held.reset();
  Dial(agent);

  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kLost);
  EXPECT_EQ(AttemptNow("a", 1).reason, "AGENT_RESTARTED");
  EXPECT_EQ(agent.held, Key("a", 2)) << "and that is the only one it has";
  EXPECT_EQ(TaskNow("b").epoch, 0);
}

TEST_F(DispatcherCoreTest, WaitsAreMeasuredByElapsedTimeWhateverTheWallClockDoes) {
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  HandIn(agent, FailureResult{FailureClass::kProvider, "PROVIDER", "down"});
  Pass(absl::Seconds(1));
  ASSERT_EQ(TaskNow("a").state, TaskState::kRetryWait);

  clock_.StepWall(absl::Hours(2));
  Pass(absl::Seconds(1));
  EXPECT_EQ(TaskNow("a").state, TaskState::kRetryWait) << "it does not end with the clock";
  clock_.StepWall(-absl::Hours(9));
  Pass(absl::Seconds(6));
  EXPECT_EQ(TaskNow("a").state, TaskState::kRunning) << "nor drag on";
}

TEST_F(DispatcherCoreTest, AWaitIsNotLongerAfterARestartThoughTheWallClockWasSetBack) {
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  HandIn(agent, FailureResult{FailureClass::kProvider, "PROVIDER", "down"});
  ASSERT_EQ(TaskNow("a").state, TaskState::kRetryWait);

  clock_.StepWall(-absl::Hours(2));
  Restart();
  agent.held.reset();
  Dial(agent);
  Pass(absl::Seconds(6));

  EXPECT_EQ(TaskNow("a").state, TaskState::kRunning);
}

TEST_F(DispatcherCoreTest, ARepeatedResultGetsItsReceiptAfterTheRunHasEndedToo) {
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  EXPECT_EQ(HandIn(agent, ChangeResult{.patch = "p"}), Receipt::kAccepted);
  Pass(absl::Seconds(130));  // Long enough for the core to forget it.
  ASSERT_EQ(store_->FindRun(kThePlan).value()->state, RunState::kSucceeded);

  EXPECT_EQ(HandIn(agent, Key("a", 1), ChangeResult{.patch = "p"}), Receipt::kAccepted);
  EXPECT_EQ(HandIn(agent, Key("a", 7), ChangeResult{.patch = "p"}), Receipt::kStale);
}

TEST_F(DispatcherCoreTest, AnAgentThatIsReadyHasItsReceiptAndThenItsNextGrant) {
  Submit({{.id = "a"}, {.id = "b"}});
  HandAgent& agent = AddAgent("one");

  const std::vector<AgentOrder> told = Report(agent, Key("a", 1), /*ready=*/true);

  ASSERT_EQ(told.size(), 2u);
  const auto& receipt = std::get<ResultReceipt>(told[0]);
  EXPECT_EQ(receipt.attempt, Key("a", 1));
  EXPECT_EQ(receipt.receipt.value(), Receipt::kAccepted);
  EXPECT_EQ(std::get<GrantOffer>(told[1]).attempt, Key("b", 1));
}

TEST_F(DispatcherCoreTest, AnAgentThatIsNotReadyGetsItsNextGrantAtABeatThatNamesNothing) {
  Submit({{.id = "a"}, {.id = "b"}});
  HandAgent& agent = AddAgent("one");

  EXPECT_EQ(Report(agent, Key("a", 1), /*ready=*/false).size(), 1u) << "the receipt alone";
  Beat(agent);  // It still names its attempt.
  Run();
  EXPECT_EQ(TaskNow("b").epoch, 0);
  agent.held.reset();
  Beat(agent);
  Run();

  EXPECT_EQ(agent.held, Key("b", 1));
}

TEST_F(DispatcherCoreTest, ARepeatedResultOfAnAgentWithANewGrantLeavesThatAlone) {
  Submit({{.id = "a"}, {.id = "b"}, {.id = "c"}});
  HandAgent& agent = AddAgent("one");
  Report(agent, Key("a", 1), /*ready=*/true);

  const std::vector<AgentOrder> told = Report(agent, Key("a", 1), /*ready=*/true);

  ASSERT_EQ(told.size(), 1u) << "it works on another attempt and is not ready";
  EXPECT_EQ(std::get<ResultReceipt>(told[0]).receipt.value(), Receipt::kAccepted);
  EXPECT_EQ(AttemptNow("b", 1).state, AttemptState::kActive);
  EXPECT_EQ(TaskNow("c").epoch, 0);
}

TEST_F(DispatcherCoreTest, AResultOfAnotherHostsAttemptIsRefusedAndTheSessionGoesOn) {
  Submit({{.id = "a"}, {.id = "b"}});
  AddAgent("one");
  HandAgent& other = AddAgent("two", "hosts/y");
  ASSERT_EQ(other.held, Key("b", 1));

  const std::vector<AgentOrder> told = Report(other, Key("a", 1), /*ready=*/true);

  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(std::get<ResultReceipt>(told[0]).receipt.status(),
              testkit::FailsWithReason("TOKEN_INVALID"));
  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kActive);
  EXPECT_EQ(Report(other, Key("b", 1), /*ready=*/true).size(), 1u);
}

TEST_F(DispatcherCoreTest, AStopOfAgentsLeavesTheChangeUnderReviewAlone) {
  reviewer_.with_validators = true;
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  HandIn(agent, ChangeResult{.patch = "p"});
  ASSERT_EQ(TaskNow("a").state, TaskState::kValidating);
  ASSERT_EQ(agent.held, Key("a", 2));

  dispatcher_->Pause(kEverything, /*stop_agents=*/true, "fire", "ada",
                     base::Reply<int>([](const auto& stopped) { EXPECT_EQ(stopped.value(), 1); }));
  Run();

  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kReported) << "its work is not lost";
  EXPECT_EQ(AttemptNow("a", 2).state, AttemptState::kPaused);
  dispatcher_->Resume(kEverything, "ada", base::Reply<int>([](const auto&) {}));
  Pass(absl::Seconds(10));
  ASSERT_TRUE(agent.held.has_value());
  HandIn(agent, EvidenceResult{.outcomes = {{.validator = "tests"}}});
  Pass(absl::Seconds(2));
  EXPECT_EQ(TaskNow("a").state, TaskState::kMerged);
  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kAccepted);
}

TEST_F(DispatcherCoreTest, ATaskThatIsRevivedAndWaitsForOneThatFailedIsSkipped) {
  reviewer_.quarantined = "a";
  Submit({{.id = "a"}, {.id = "b", .depends_on = {"a"}}, {.id = "c"}});
  const TaskKey b{.plan = kThePlan, .id = "b"};
  dispatcher_->CancelTask(b, base::Reply<Task>([](const auto&) {}));
  HandAgent& agent = AddAgent("one");
  ASSERT_EQ(agent.held, Key("a", 1));
  HandIn(agent, ChangeResult{.patch = "p"});
  Resolve("a", Decision::kFail);
  ASSERT_EQ(TaskNow("a").state, TaskState::kFailed);

  dispatcher_->RetryTask(b, "", "ada", base::Reply<Task>([](const auto&) {}));
  Run();

  EXPECT_EQ(TaskNow("b").state, TaskState::kSkipped) << "not BLOCKED for ever";
}

TEST_F(DispatcherCoreTest, AnAttemptIsStoppedForDoingNothingAndNotForTakingLong) {
  Submit({{.id = "a", .attempt_timeout = absl::Hours(5)}});
  HandAgent& agent = AddAgent("one");
  for (int minute = 0; minute < 60; minute += 9) {
    Pass(absl::Minutes(9));
    ++agent.activity;
  }
  ASSERT_EQ(agent.held, Key("a", 1)) << "it works, if slowly";

  Pass(absl::Minutes(10) + absl::Seconds(30));
  ++agent.activity;  // After it was pointed out.
  Pass(absl::Minutes(10) + absl::Seconds(30));
  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kActive);
  Pass(absl::Seconds(40));
  EXPECT_EQ(AttemptNow("a", 1).state, AttemptState::kFailed);
  EXPECT_EQ(AttemptNow("a", 1).reason, "STALLED");
  EXPECT_EQ(agent.held, Key("a", 2)) << "tried again";
  EXPECT_EQ(AttemptNow("a", 2).feedback.size(), 1u);
}

TEST_F(DispatcherCoreTest, DeathsOfOneTaskOnTwoHostsAreTheTasks) {
  Submit({{.id = "a"}});
  AddAgent("one");
  AddAgent("two", "hosts/y");
  Pass(absl::Seconds(35), {"one", "two"});  // Whoever has it falls silent.
  Pass(absl::Seconds(20));
  ASSERT_EQ(AttemptNow("a", 1).reason, "LEASE_EXPIRED");
  for (auto& agent : agents_) {
    if (agent->held != Key("a", 2)) agent->session = nullptr;
  }
  const std::string first = AttemptNow("a", 1).host;
  if (AttemptNow("a", 2).host == first) {
    // The same host twice says less: three are needed.
    for (auto& agent : agents_) {
      if (agent->held == Key("a", 2)) Die(*agent);
    }
    ASSERT_NE(TaskNow("a").state, TaskState::kNeedsHuman);
  }
  for (int i = 0; i < 3 && TaskNow("a").state != TaskState::kNeedsHuman; ++i) {
    for (auto& agent : agents_) {
      if (agent->session != nullptr && agent->held.has_value()) Die(*agent);
    }
  }
  EXPECT_EQ(TaskNow("a").state, TaskState::kNeedsHuman);
  EXPECT_EQ(TaskNow("a").reason, "POISON");
}

TEST_F(DispatcherCoreTest, AHostThatEndsSeveralTasksAtOnceIsToBlameHoweverOften) {
  Submit({{.id = "a"}, {.id = "b"}});
  HandAgent& one = AddAgent("one");
  HandAgent& two = AddAgent("two");
  for (int outage = 0; outage < 6; ++outage) {
    ASSERT_TRUE(one.held.has_value() && two.held.has_value()) << outage;
    Die(one);
    Die(two);
    Pass(absl::Seconds(40));
  }
  EXPECT_EQ(TaskNow("a").state, TaskState::kRunning);
  EXPECT_EQ(TaskNow("b").state, TaskState::kRunning);
  EXPECT_THAT(TaskNow("a").progress.deaths, IsEmpty());
}

TEST_F(DispatcherCoreTest, AnAgentThatIsGoneAfterARestartDiedOfNothingKnown) {
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  for (int restart = 0; restart < 4; ++restart) {
    ASSERT_TRUE(agent.held.has_value()) << restart;
    Restart();
    agent.held.reset();
    ++agent.boot_nonce;
    Dial(agent);
  }
  EXPECT_EQ(TaskNow("a").state, TaskState::kRunning);
  EXPECT_THAT(TaskNow("a").progress.deaths, IsEmpty());
}

TEST_F(DispatcherCoreTest, AResultEndsTheRowOfDeaths) {
  Submit({{.id = "a"}});
  HandAgent& agent = AddAgent("one");
  for (int round = 0; round < 3; ++round) {
    Die(agent);
    Die(agent);
    EXPECT_THAT(TaskNow("a").progress.deaths, ElementsAre("hosts/x", "hosts/x"));
    HandIn(agent, FailureResult{FailureClass::kProvider, "PROVIDER", "down"});
    EXPECT_THAT(TaskNow("a").progress.deaths, IsEmpty());
    Pass(absl::Minutes(3));
  }
  EXPECT_EQ(TaskNow("a").state, TaskState::kRunning);
}

}  // namespace
}  // namespace slipway::dispatcher
