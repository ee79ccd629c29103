#include "cli/rehearse/rehearsal.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/client/target.h"
#include "cli/rehearse/chain.h"
#include "cli/rehearse/rehearsal_suite.h"
#include "cli/rehearse/reply_script.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using planner::v1::PlannerService;

constexpr char kRehearsalProject[] = "projects/rehearsal";
// A plan costs some calls: shorter stretches would cost more than they gain.
constexpr size_t kStretchMin = 5;
// Stretches for each agent, so that none waits long for the last.
constexpr size_t kStretchesPerAgent = 3;
constexpr int kAgentsMin = 2;
constexpr int kAgentsMax = 8;

int AgentsOf(int wanted) {
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  return wanted > 0 ? wanted : std::clamp(processors, kAgentsMin, kAgentsMax);
}

size_t StretchMax(size_t wanted, size_t commits, int agents) {
  if (wanted > 0) return wanted;
  return std::max(kStretchMin, commits / (static_cast<size_t>(agents) * kStretchesPerAgent));
}

// Everything that judges what a trusted history says is off; what keeps a repository sound is not.
common::v1::ProjectPolicy PolicyOf(const std::vector<common::v1::Validator>& validators) {
  common::v1::ProjectPolicy policy;
  // Refusals are what it looks for.
  policy.mutable_review()->set_diagnosis_role("none");
  for (const common::v1::Validator& validator : validators) *policy.add_validators() = validator;
  common::v1::PathPolicy& paths = *policy.mutable_paths();
  paths.add_unprotected("**");
  paths.set_allow_binary(true);
  paths.set_allow_symlinks(true);
  paths.set_allow_mode_changes(true);
  paths.set_trusted_content(true);
  policy.mutable_integration()->set_mode(common::v1::IntegrationPolicy::MODE_NONE);
  // The same reply to the same question: another try gives the same.
  policy.mutable_attempts()->set_retries_max(0);
  // And the same change to the same validators.
  policy.mutable_attempts()->set_skip_agent_checks(true);
  return policy;
}

}  // namespace

Rehearsal::Rehearsal(Options options, base::Clock& clock)
    : options_(std::move(options)), clock_(clock) {}

Rehearsal::~Rehearsal() = default;

absl::StatusOr<RehearsalReport> Rehearsal::Run() {
  const absl::Duration begin = clock_.Elapsed();
  report_.branch = options_.source.branch;
  report_.requested = options_.commits;
  RETURN_IF_ERROR(Prepare());
  RETURN_IF_ERROR(CreateProject());
  report_.start_took = clock_.Elapsed() - begin;
  RETURN_IF_ERROR(Replayed());
  suite_->Stop(absl::Seconds(5));
  report_.took = clock_.Elapsed() - begin;
  return report_;
}

absl::Status Rehearsal::Prepare() {
  const std::string directory = RehearsalDirectory(options_.data);
  RETURN_IF_ERROR(base::MakeDirectories(directory));
  ASSIGN_OR_RETURN(const History history,
                   History::Borrow(options_.source, absl::StrCat(directory, "/history.git")));
  repository_ = history.path();
  ASSIGN_OR_RETURN(report_.commits, history.Newest(options_.commits));
  if (report_.commits.empty()) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "HISTORY_EMPTY",
                       absl::StrCat(options_.source.repository,
                                    " has no commit with exactly one parent to replay"),
                       {{"location", options_.source.repository}});
  }
  report_.replays.resize(report_.commits.size());
  ASSIGN_OR_RETURN(unscripted_, WriteReplyScript(history, report_.commits, directory));
  ASSIGN_OR_RETURN(SuiteOptions suite,
                   RehearsalSuiteOptions(options_.data, AgentsOf(options_.agents)));
  suite.report = options_.report;
  ASSIGN_OR_RETURN(suite_, Suite::Start(std::move(suite), clock_));
  ASSIGN_OR_RETURN(Target target, FindTarget({.data = options_.data.path()}));
  ASSIGN_OR_RETURN(connection_, Connection::Open(std::move(target)));
  return absl::OkStatus();
}

absl::Status Rehearsal::CreateProject() {
  planner::v1::CreateProjectRequest request;
  planner::v1::Project& project = *request.mutable_project();
  project.set_name(kRehearsalProject);
  project.set_title("Rehearsal");
  project.set_repository(repository_);
  project.set_target_branch(History::kBranch);
  project.set_plan_tier("scripted");
  *project.mutable_policy() = PolicyOf(options_.validators);
  request.set_request_id(base::RandomIds().NewId("rehearse"));
  return connection_
      ->Call(connection_->planner(), &PlannerService::StubInterface::CreateProject, request)
      .status();
}

// Several stretches at once, each by a thread that mostly waits.
absl::Status Rehearsal::Replayed() {
  const int agents = AgentsOf(options_.agents);
  {
    base::MutexLock lock(mutex_);
    for (const Stretch& stretch : Stretches(
             report_.commits, StretchMax(options_.stretch_max, report_.commits.size(), agents))) {
      waiting_.push_back(stretch);
    }
  }
  std::vector<std::thread> workers;
  for (int i = 0; i < agents; ++i) workers.emplace_back([this] { Work(); });
  for (std::thread& worker : workers) worker.join();
  base::MutexLock lock(mutex_);
  return failure_;
}

void Rehearsal::Work() {
  while (true) {
    Stretch stretch;
    {
      base::MutexLock lock(mutex_);
      if (waiting_.empty() || !failure_.ok()) return;
      stretch = waiting_.front();
      waiting_.pop_front();
    }
    const absl::Status status = RunStretch(stretch);
    base::MutexLock lock(mutex_);
    if (!status.ok() && failure_.ok()) failure_ = status;
  }
}

// A commit that is refused ends its plan; the next plan starts from that commit as history has it.
absl::Status Rehearsal::RunStretch(Stretch stretch) {
  while (stretch.begin < stretch.end) {
    if (!unscripted_[stretch.begin].empty()) {
      Settle(stretch.begin,
             {.verdict = Replay::Verdict::kRefused, .reason = unscripted_[stretch.begin]});
      ++stretch.begin;
      continue;
    }
    size_t end = stretch.begin;
    while (end < stretch.end && unscripted_[end].empty()) ++end;
    const size_t begin = stretch.begin;
    {
      base::MutexLock lock(mutex_);
      ++report_.plans;
    }
    Chain chain(
        *connection_, clock_, absl::MakeConstSpan(report_.commits).subspan(begin, end - begin),
        {.project = kRehearsalProject,
         .title = absl::StrCat("Commits ", begin + 1, " to ", end),
         .on_replay = [this, begin](size_t index,
                                    const Replay& replay) { Settle(begin + index, replay); },
         .check = [this] { return Check(); }});
    ASSIGN_OR_RETURN(const size_t settled, chain.Run());
    stretch.begin += settled;
  }
  return absl::OkStatus();
}

void Rehearsal::Settle(size_t index, const Replay& replay) {
  base::MutexLock lock(mutex_);
  report_.replays[index] = replay;
  ++settled_;
  options_.on_replay(report_.commits[index], replay, settled_, report_.commits.size());
}

absl::Status Rehearsal::Check() {
  RETURN_IF_ERROR(options_.check());
  base::MutexLock lock(mutex_);
  return failure_;
}

}  // namespace slipway::cli
