#include "cli/demo/demo_run.h"

#include <signal.h>
#include <time.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/client/pages.h"
#include "cli/client/plan_follower.h"
#include "cli/client/target.h"
#include "cli/demo/demo_suite.h"
#include "cli/output/quantity_text.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/id_generator.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::DispatcherService;
using ledger::v1::LedgerService;
using planner::v1::PlannerService;

constexpr char kTallyProject[] = "projects/tally";
constexpr char kDocsTask[] = "docs";
constexpr int64_t kProjectLimit = 2'000'000'000;  // Two dollars.
constexpr int64_t kDocsLimitSmall = 1'000;        // Less than its first call needs.
constexpr int64_t kDocsLimitRaised = 100'000'000;
// Services that crash are back in well under a second; a loaded machine takes longer.
constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr absl::Duration kCallAgain = absl::Milliseconds(50);
// No step of the sample takes longer than some seconds.
constexpr absl::Duration kDemoStuckAfter = absl::Minutes(5);

void WaitFor(absl::Duration time) {
  base::Mutex mutex;
  base::CondVar never;
  base::MutexLock lock(mutex);
  never.WaitFor(mutex, time);
}

// Whether the person asked for the end: the signals are blocked, see rpc::PrepareProcess.
bool Interrupted() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  const timespec now = {};
  return sigtimedwait(&signals, nullptr, &now) > 0;
}

}  // namespace

// Calls again while the suite does not answer: each call here is idempotent, and a service that
// crashed is started again.
template <typename Stub, typename Method, typename Request>
auto DemoRun::Call(Stub& stub, Method method, const Request& request) {
  const absl::Duration end = clock_.Elapsed() + kPatience;
  while (true) {
    auto response = connection_->Call(stub, method, request);
    const bool away = response.status().code() == absl::StatusCode::kUnavailable ||
                      response.status().code() == absl::StatusCode::kDeadlineExceeded;
    if (!away || clock_.Elapsed() >= end) return response;
    WaitFor(kCallAgain);
  }
}

DemoRun::DemoRun(DataDirectory data, Sample sample, DemoDisplay& display, base::Clock& clock)
    : data_(std::move(data)),
      sample_(std::move(sample)),
      display_(display),
      clock_(clock),
      begin_(clock.Elapsed()) {}

DemoRun::~DemoRun() = default;

absl::StatusOr<DemoSummary> DemoRun::Run() {
  RETURN_IF_ERROR(StartSuite());
  RETURN_IF_ERROR(CreateProject());
  ASSIGN_OR_RETURN(const PlanView proposal, Draft());
  RETURN_IF_ERROR(LimitDocs());
  RETURN_IF_ERROR(Approve(proposal));
  ASSIGN_OR_RETURN(PlanView view, Follow());
  return Summarise(std::move(view));
}

absl::Status DemoRun::StartSuite() {
  RETURN_IF_ERROR(PrepareDemoData(data_, sample_));
  SuiteOptions options = DemoSuiteOptions(data_);
  options.report = [this](absl::string_view line) { display_.Report(line); };
  ASSIGN_OR_RETURN(suite_, Suite::Start(std::move(options), clock_));
  ASSIGN_OR_RETURN(Target target, FindTarget({.data = data_.path()}));
  ASSIGN_OR_RETURN(connection_, Connection::Open(std::move(target)));
  display_.Say(absl::StrCat("six services run after ", DurationText(clock_.Elapsed() - begin_),
                            "; data in ", data_.path()));
  return absl::OkStatus();
}

absl::Status DemoRun::CreateProject() {
  ASSIGN_OR_RETURN(SampleRepository repository,
                   SampleRepository::Create(data_.File("tally.git"), sample_.repository));
  repository_ = std::make_unique<SampleRepository>(std::move(repository));
  planner::v1::CreateProjectRequest request;
  planner::v1::Project& project = *request.mutable_project();
  project.set_name(kTallyProject);
  project.set_title("Tally");
  project.set_repository(repository_->path());
  project.set_target_branch(SampleRepository::kBranch);
  project.set_plan_tier("scripted");
  common::v1::ProjectPolicy& policy = *project.mutable_policy();
  common::v1::Validator& validator = *policy.add_validators();
  validator.set_name("unit-tests");
  for (const char* const word : {"python3", "-m", "unittest"}) validator.add_command(word);
  policy.mutable_review()->set_critic_role("frontier_reviewer");
  policy.mutable_integration()->set_mode(common::v1::IntegrationPolicy::MODE_MERGE);
  request.set_request_id(base::RandomIds().NewId("demo"));
  RETURN_IF_ERROR(
      Call(connection_->planner(), &PlannerService::StubInterface::CreateProject, request)
          .status());
  display_.Say(absl::StrCat("project tally: the tests are its validator, a critic judges, at most ",
                            MoneyText(kProjectLimit), " may be spent"));
  return SetLimit(kTallyProject, kProjectLimit);
}

absl::Status DemoRun::SetLimit(const std::string& scope, int64_t usd_nanos) {
  ledger::v1::SetBudgetRequest request;
  ledger::v1::Budget& budget = *request.mutable_budget();
  budget.set_scope(scope);
  budget.set_metric(ledger::v1::METRIC_USD_NANOS);
  budget.set_window(ledger::v1::WINDOW_TOTAL);
  budget.set_limit(usd_nanos);
  request.set_request_id(base::RandomIds().NewId("demo"));
  return Call(connection_->ledger(), &LedgerService::StubInterface::SetBudget, request).status();
}

absl::StatusOr<PlanView> DemoRun::Draft() {
  display_.Heading("A plan from the spec");
  planner::v1::CreatePlanRequest request;
  request.set_parent(kTallyProject);
  ASSIGN_OR_RETURN(*request.mutable_spec(), base::ReadFile(sample_.spec));
  request.set_request_id(base::RandomIds().NewId("demo"));
  ASSIGN_OR_RETURN(const auto response, Call(connection_->planner(),
                                             &PlannerService::StubInterface::CreatePlan, request));
  plan_ = response.plan().name();
  ASSIGN_OR_RETURN(PlanView view, FollowPlan(*connection_, clock_,
                                             {.plan = plan_, .until = [this](const PlanView& view) {
                                                return HasStopped(view) ||
                                                       StandingOf(view) != Standing::kDrafting;
                                              }}));
  RETURN_IF_ERROR(failure_);
  if (StandingOf(view) != Standing::kProposed) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "DRAFT_FAILED",
                       absl::StrCat("no plan could be drafted: ", view.plan.failure()));
  }
  display_.ShowProposal(view);
  return view;
}

absl::Status DemoRun::LimitDocs() {
  display_.Say(absl::StrCat("the task ", kDocsTask, " gets a limit of ", MoneyText(kDocsLimitSmall),
                            ": too little for its first call"));
  return SetLimit(absl::StrCat(plan_, "/tasks/", kDocsTask), kDocsLimitSmall);
}

absl::Status DemoRun::Approve(const PlanView& proposal) {
  planner::v1::ApprovePlanRequest approve;
  approve.set_name(plan_);
  approve.set_version(proposal.plan.version());
  RETURN_IF_ERROR(
      Call(connection_->planner(), &PlannerService::StubInterface::ApprovePlan, approve).status());
  planner::v1::StartPlanRequest start;
  start.set_name(plan_);
  RETURN_IF_ERROR(
      Call(connection_->planner(), &PlannerService::StubInterface::StartPlan, start).status());
  display_.Heading("Approved and started");
  return absl::OkStatus();
}

absl::StatusOr<PlanView> DemoRun::Follow() {
  FollowOptions options{.plan = plan_, .patience = kPatience};
  options.on_event = [this](const events::v1::Event& event) { OnEvent(event); };
  options.on_view = [this](const PlanView& view) { display_.ShowView(view); };
  options.on_tick = [this] { display_.Redraw(); };
  options.until = [this](const PlanView& view) {
    return HasStopped(view) || HasEnded(StandingOf(view));
  };
  absl::StatusOr<PlanView> view = FollowPlan(*connection_, clock_, options);
  RETURN_IF_ERROR(failure_);
  return view;
}

void DemoRun::OnEvent(const events::v1::Event& event) {
  if (!story_.Add(event)) return;
  display_.ShowEvent(event);
  if (!event.payload().has_task_state_changed()) return;
  const events::v1::TaskStateChanged& change = event.payload().task_state_changed();
  if (change.to() != "PAUSED" || change.reason() != "budget") return;
  const absl::Status raised = SetLimit(event.task(), kDocsLimitRaised);
  if (!raised.ok()) {
    failure_ = raised;
    return;
  }
  display_.Say(absl::StrCat("          the limit of ",
                            event.task().substr(event.task().rfind('/') + 1), " is raised to ",
                            MoneyText(kDocsLimitRaised), ", and the work goes on"));
}

// Whether following must end although the plan has not.
bool DemoRun::HasStopped(const PlanView& view) {
  if (!failure_.ok()) return true;
  if (Interrupted()) {
    failure_ = base::Error(absl::StatusCode::kCancelled, "INTERRUPTED", "the demo was interrupted");
  } else if (!view.checkpoints.empty()) {
    failure_ = base::Error(absl::StatusCode::kFailedPrecondition, "DEMO_STUCK",
                           absl::StrCat("a person is asked: ", view.checkpoints[0].reason(), " ",
                                        view.checkpoints[0].question()));
  } else if (clock_.Elapsed() - begin_ > kDemoStuckAfter) {
    failure_ =
        base::Error(absl::StatusCode::kDeadlineExceeded, "DEMO_STUCK",
                    absl::StrCat("the plan has not ended after ", DurationText(kDemoStuckAfter),
                                 "; look into ", data_.File("logs")));
  }
  return !failure_.ok();
}

absl::StatusOr<DemoSummary> DemoRun::Summarise(PlanView view) {
  DemoSummary summary{.view = std::move(view), .story = story_};
  summary.cost_usd_nanos = summary.view.TotalCost();
  ASSIGN_OR_RETURN(summary.held, CountHeld());
  ASSIGN_OR_RETURN(summary.tests, repository_->CloneAndTest(data_.File("merged")));
  const std::string branch = absl::StrCat("refs/heads/", SampleRepository::kBranch);
  ASSIGN_OR_RETURN(summary.integration_commit, repository_->Resolve(branch));
  ASSIGN_OR_RETURN(summary.tree, repository_->Resolve(absl::StrCat(branch, "^{tree}")));
  ASSIGN_OR_RETURN(const std::string log, repository_->Log(/*lines_max=*/40));
  summary.took = clock_.Elapsed() - begin_;
  display_.ShowStory(summary);
  display_.ShowCosts(summary);
  display_.ShowBranch(log);
  return summary;
}

absl::StatusOr<int> DemoRun::CountHeld() {
  ledger::v1::ListReservationsRequest request;
  request.set_state(ledger::v1::Reservation::STATE_HELD);
  ASSIGN_OR_RETURN(const auto held, Call(connection_->ledger(),
                                         &LedgerService::StubInterface::ListReservations, request));
  return held.reservations_size();
}

}  // namespace slipway::cli
