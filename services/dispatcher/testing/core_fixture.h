#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "services/dispatcher/domain/dispatcher.h"
#include "services/dispatcher/storage/sqlite_task_store.h"

// The core on its real storage in memory, with time that a test moves, and agents that it leads by
// the hand.
namespace slipway::dispatcher {

inline constexpr char kThePlan[] = "projects/p/plans/n";

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

// Has a key for everybody: at once, or when a test says so.
class NoModels final : public Models {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<IssuedKey>) &&>;

  void IssueKey(const KeyRequest&, Done done) override {
    ++asked;
    waiting.push_back(std::move(done));
    if (!waits) Answer();
  }
  void Answer() {
    for (Done& done : std::exchange(waiting, {})) std::move(done)(IssuedKey{.key = "key"});
  }
  void RevokeKeys(const AttemptKey&, absl::AnyInvocable<void(absl::Status) &&> done) override {
    std::move(done)(absl::OkStatus());
  }

  bool waits = false;
  int asked = 0;
  std::vector<Done> waiting;
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

class CoreFixture : public ::testing::Test {
 protected:
  CoreFixture() { Restart(); }
  ~CoreFixture() override {
    dispatcher_.reset();
    const absl::StatusOr<AuditResult> audit = store_->Audit();
    EXPECT_OK(audit.status());
    for (const AuditCheck& check : audit->checks) {
      EXPECT_THAT(check.breaches, ::testing::IsEmpty()) << check.invariant;
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

}  // namespace slipway::dispatcher
