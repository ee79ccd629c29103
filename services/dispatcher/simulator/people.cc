#include "services/dispatcher/simulator/people.h"

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "services/dispatcher/simulator/sim_agent.h"

namespace slipway::dispatcher::simulator {
namespace {

using absl::StrCat;

constexpr int kPlans = 3;

template <typename T>
base::Reply<T> Counted(World& world, const std::string& what) {
  return base::Reply<T>([&world, what](absl::StatusOr<T> result) {
    world.Count(StrCat("op ", what, " ", result.ok() ? "ok" : base::ReasonOf(result.status())));
  });
}

}  // namespace

People::People(World& world) : world_(world) {
  for (int i = 0; i < kPlans; ++i) {
    submissions_.push_back(
        {.spec = AnyPlan(i), .next_try = absl::Seconds(world_.random.Between(0, 90))});
  }
}

PlanSpec People::AnyPlan(int number) {
  PlanSpec spec{.plan = StrCat("projects/p", number % 2, "/plans/n", number),
                .title = "A plan",
                .version = 1,
                .branch = "plan/n",
                .base_commit = "base",
                .digest = StrCat("digest ", number)};
  spec.policy.retries_max = static_cast<int>(world_.random.Between(0, 3));
  spec.policy.attempt_timeout = absl::Seconds(world_.random.Between(60, 400));
  // One limit for each project: it is the project's.
  spec.policy.parallel_max = number % 2 == 0 ? 2 : 0;
  spec.policy.human_approval = world_.random.OneIn(8);
  const int64_t tasks = world_.random.Between(1, 5);
  for (int64_t i = 0; i < tasks; ++i) {
    TaskSpec task{.id = StrCat("t", i), .title = "A task"};
    task.role = world_.random.OneIn(3) ? "writer" : "builder";
    if (!world_.random.OneIn(3)) {
      task.allowed_paths = {world_.random.OneIn(2) ? "src/**" : StrCat("src/", i % 2, ".cc")};
    }
    if (world_.random.OneIn(20)) task.title = kPoisonTitle;
    task.priority = static_cast<int>(world_.random.Below(10));
    task.estimate = absl::Minutes(world_.random.Between(0, 20));
    for (int64_t before = 0; before < i; ++before) {
      if (world_.random.OneIn(3)) task.depends_on.push_back(StrCat("t", before));
    }
    spec.tasks.push_back(std::move(task));
  }
  return spec;
}

void People::Submit(Submission& submission) {
  submission.next_try = world_.clock.true_elapsed() + absl::Seconds(5);
  const size_t index = static_cast<size_t>(&submission - submissions_.data());
  world_.Send([this, index] {
    if (world_.dispatcher == nullptr) return;
    world_.dispatcher->SubmitPlan(submissions_[index].spec,
                                  base::Reply<Run>([this, index](absl::StatusOr<Run> run) {
                                    if (run.ok()) submissions_[index].acknowledged = true;
                                    const std::string reason = base::ReasonOf(run.status());
                                    // An amendment got between a submission and its repeat.
                                    if (reason == "PLAN_SUBMITTED") {
                                      submissions_[index].acknowledged = true;
                                    }
                                    world_.Count(StrCat("op submit ", run.ok() ? "ok" : reason));
                                  }));
  });
}

void People::Tick() {
  if (world_.dispatcher == nullptr) return;
  const absl::Duration now = world_.clock.true_elapsed();
  for (Submission& submission : submissions_) {
    if (!submission.acknowledged && now >= submission.next_try) Submit(submission);
  }
  if (now >= next_question_) {
    next_question_ = now + absl::Seconds(world_.calm ? 3 : 10);
    AnswerQuestions();
  }
  if (world_.Chance(6)) Meddle();
}

void People::AnswerQuestions() {
  const absl::StatusOr<TaskStore::CheckpointPage> page =
      world_.store->ListCheckpoints("", /*show_resolved=*/false, 0, 10);
  if (!page.ok()) return;
  for (const Checkpoint& checkpoint : page->checkpoints) {
    Decision decision = checkpoint.options[world_.random.Below(checkpoint.options.size())];
    if (world_.calm && decision == Decision::kRetry) decision = Decision::kSkip;
    const std::string name = checkpoint.key.Name();
    world_.Count(StrCat("questions ", checkpoint.reason));
    world_.dispatcher->ResolveCheckpoint(
        checkpoint.key, decision, "do less", "ada",
        base::Reply<Resolution>([this, name, decision](absl::StatusOr<Resolution> resolution) {
          if (resolution.ok()) answered_[name] = decision;
        }));
  }
}

TaskKey People::AnyTask() {
  const PlanSpec& plan = submissions_[world_.random.Below(submissions_.size())].spec;
  return {.plan = plan.plan, .id = StrCat("t", world_.random.Below(plan.tasks.size()))};
}

void People::Amend(const std::string& plan) {
  const absl::StatusOr<std::optional<Run>> run = world_.store->FindRun(plan);
  if (!run.ok() || !run->has_value()) return;
  const int version = (*run)->version;
  PlanAmendment amendment{.plan = plan,
                          .version = version + 1,
                          .base_version = version,
                          .actor = "ada",
                          .digest = StrCat("digest ", version + 1)};
  if (world_.random.OneIn(2)) {
    amendment.added.push_back({.id = StrCat("x", version), .title = "More", .role = "builder"});
    if (world_.random.OneIn(2)) amendment.added.back().depends_on = {"t0"};
  } else if (world_.random.OneIn(2)) {
    amendment.removed.push_back(AnyTask().id);
  } else {
    TaskSpec spec{.id = AnyTask().id, .priority = 9};
    amendment.changed.push_back({.spec = std::move(spec), .fields = {"priority"}});
  }
  world_.dispatcher->AmendPlan(std::move(amendment), false, Counted<Run>(world_, "amend"));
}

void People::Meddle() {
  Dispatcher& dispatcher = *world_.dispatcher;
  const TaskKey task = AnyTask();
  const std::string scopes[] = {task.Name(), task.plan, ProjectOf(task.plan), kEverything};
  const std::string& scope = scopes[world_.random.Below(4)];
  switch (world_.random.Below(10)) {
    case 0:
      paused_.insert(scope);
      return dispatcher.Pause(scope, world_.random.OneIn(2), "a look", "ada",
                              Counted<int>(world_, "pause"));
    case 1:
    case 2:
    case 3:
      if (paused_.empty()) return;
      return dispatcher.Resume(*paused_.begin(), "ada", Counted<int>(world_, "resume"));
    case 4:
      return dispatcher.CancelTask(task, Counted<Task>(world_, "cancel"));
    case 5:
      return dispatcher.RetryTask(task, "try", "ada", Counted<Task>(world_, "retry"));
    case 6:
      if (world_.random.OneIn(5)) {
        dispatcher.CancelRun(task.plan, "enough", Counted<Run>(world_, "cancel run"));
      }
      return;
    case 7:
      world_.Count("kill switch");
      return dispatcher.SetKillSwitch(world_.random.OneIn(3));
    case 8:
      return dispatcher.LedgerChanged(
          {"organisation"}, {{ProjectOf(task.plan), world_.random.Between(0, 2'000'000'000)}},
          StrCat(world_.next_message));
    default:
      return Amend(task.plan);
  }
}

void People::Finish(bool impatient) {
  if (world_.dispatcher == nullptr) return;
  Dispatcher& dispatcher = *world_.dispatcher;
  dispatcher.SetKillSwitch(false);
  if (impatient) {
    for (const char* project : {"projects/p0", "projects/p1"}) {
      dispatcher.Resume(project, "ada", Counted<int>(world_, "resume"));
    }
  }
  const absl::StatusOr<std::vector<Pause>> pauses = world_.store->ListPauses();
  if (!pauses.ok()) return;
  for (const Pause& pause : *pauses) {
    dispatcher.Resume(pause.scope, "ada", Counted<int>(world_, "resume"));
  }
}

void People::CheckPromises(TaskStore& store) {
  for (const Submission& submission : submissions_) {
    if (!submission.acknowledged) continue;
    const absl::StatusOr<std::optional<Run>> run = store.FindRun(submission.spec.plan);
    if (!run.ok() || !run->has_value()) {
      world_.Breach(StrCat("I10: ", submission.spec.plan, " was acknowledged and is not stored"));
    }
  }
  const absl::StatusOr<TaskStore::CheckpointPage> page = store.ListCheckpoints("", true, 0, 1'000);
  if (!page.ok()) return;
  for (const Checkpoint& checkpoint : page->checkpoints) {
    const auto answer = answered_.find(checkpoint.key.Name());
    if (answer != answered_.end() && checkpoint.decision != answer->second) {
      world_.Breach(StrCat("I10: the answer to ", checkpoint.key.Name(), " is not stored"));
    }
  }
}

}  // namespace slipway::dispatcher::simulator
