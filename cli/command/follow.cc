#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/client/event_stream.h"
#include "cli/client/plan_follower.h"
#include "cli/command/families.h"
#include "cli/command/requests.h"
#include "cli/output/display_width.h"
#include "cli/output/event_line.h"
#include "cli/output/live_screen.h"
#include "cli/output/plan_tree.h"
#include "cli/output/quantity_text.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

using planner::v1::PlannerService;

struct FollowArguments {
  std::string plan;
  bool keep_waiting = false;
  bool everything = false;
};

// Shows a plan as it goes on: a tree that is drawn over itself on a terminal, a line for each event
// elsewhere, JSON lines for programs.
class PlanDisplay final {
 public:
  PlanDisplay(Invocation& invocation, bool everything)
      : output_(invocation.output()),
        clock_(invocation.clock()),
        everything_(everything),
        screen_(output_) {}

  void Attach(FollowOptions& options) {
    options.on_view = [this](const PlanView& view) {
      view_ = view;
      Redraw();
    };
    options.on_tick = [this] { Redraw(); };
    options.on_event = [this](const events::v1::Event& event) { Show(event); };
  }

 private:
  void Redraw() {
    if (!output_.live() || !view_.has_value()) return;
    screen_.Draw(RenderPlanTree(*view_, {.now = clock_.Now(),
                                         .colour = output_.colour(),
                                         .width = output_.width() - 1,
                                         .lines_max = output_.height()}));
  }

  void Show(const events::v1::Event& event) {
    if (output_.json()) return output_.Json(event);
    if (output_.live() && !everything_) return;
    const std::string line = EventLine(
        event,
        {.zone = absl::LocalTimeZone(), .colour = output_.colour(), .everything = everything_});
    if (line.empty()) return;
    if (!output_.live()) return output_.Line(line);
    screen_.PrintAbove(line);
  }

  Output& output_;
  base::Clock& clock_;
  const bool everything_;
  LiveScreen screen_;
  std::optional<PlanView> view_;
};

void ExplainWaiting(const PlanView& view, Output& output) {
  if (view.run.has_value() && view.run->paused()) {
    output.Hint(absl::StrCat("slipway resume ", LastId(view.plan.name())));
  }
  for (const dispatcher::v1::Checkpoint& checkpoint : view.checkpoints) {
    output.Progress(absl::StrCat(ShortName(checkpoint.name()), " [", checkpoint.reason(), "] ",
                                 OneLine(checkpoint.question())));
  }
  if (!view.checkpoints.empty()) {
    output.Progress(absl::StrCat(output.Painted(Tone::kActive, "hint:"), " slipway resolve ",
                                 LastId(view.checkpoints[0].name()),
                                 " --decision retry --guidance \"...\""));
    return;
  }
  for (const dispatcher::v1::Task& task : view.tasks) {
    if (task.state() != dispatcher::v1::Task::STATE_PAUSED) continue;
    output.Progress(absl::StrCat(LastId(task.name()), " is paused: ", task.reason(), " ",
                                 OneLine(task.detail())));
    if (task.reason() == "budget") {
      output.Progress(absl::StrCat(output.Painted(Tone::kActive, "hint:"),
                                   " raise the limit: slipway budget list"));
      return;
    }
  }
}

ExitCode Conclude(const PlanView& view, Output& output) {
  const Standing standing = StandingOf(view);
  const std::string cost = MoneyText(view.TotalCost());
  switch (standing) {
    case Standing::kSucceeded:
      output.Progress(absl::StrCat(output.Painted(Tone::kGood, "done:"), " ",
                                   view.run.has_value() ? OneLine(view.run->result()) : "", " (",
                                   cost, ")"));
      return ExitCode::kOk;
    case Standing::kWaitsForPerson:
      output.Progress("Nothing goes on until you decide:");
      ExplainWaiting(view, output);
      return ExitCode::kWaitsForPerson;
    case Standing::kProposed:
      output.Progress(absl::StrCat(output.Painted(Tone::kActive, "hint:"),
                                   " the plan waits for approval: slipway approve ",
                                   LastId(view.plan.name())));
      return ExitCode::kWaitsForPerson;
    case Standing::kApproved:
      output.Progress(absl::StrCat(output.Painted(Tone::kActive, "hint:"),
                                   " the plan is not started: slipway run ",
                                   LastId(view.plan.name())));
      return ExitCode::kWaitsForPerson;
    default:
      output.Progress(absl::StrCat(output.Painted(Tone::kBad, "ended:"), " ",
                                   StateText(planner::v1::Plan::State_Name(view.plan.state())), " ",
                                   OneLine(view.plan.failure()),
                                   view.run.has_value() ? OneLine(view.run->result()) : "", " (",
                                   cost, ")"));
      return ExitCode::kFailed;
  }
}

absl::StatusOr<ExitCode> Follow(const std::string& plan, const FollowArguments& arguments,
                                bool until_started, Invocation& invocation) {
  PlanDisplay display(invocation, arguments.everything);
  FollowOptions options{.plan = plan};
  display.Attach(options);
  options.until = [&](const PlanView& view) {
    const Standing standing = StandingOf(view);
    if (standing == Standing::kWaitsForPerson) return !arguments.keep_waiting;
    // Just after StartPlan the planner may still say APPROVED.
    if (standing == Standing::kProposed || standing == Standing::kApproved) {
      return !until_started && !arguments.keep_waiting;
    }
    return HasEnded(standing);
  };
  ASSIGN_OR_RETURN(const PlanView view,
                   FollowPlan(invocation.connection(), invocation.clock(), options));
  return Conclude(view, invocation.output());
}

absl::StatusOr<ExitCode> Run(const FollowArguments& arguments, Invocation& invocation) {
  planner::v1::StartPlanRequest request;
  ASSIGN_OR_RETURN(*request.mutable_name(), invocation.names().Plan(arguments.plan));
  Connection& connection = invocation.connection();
  RETURN_IF_ERROR(
      connection.Call(connection.planner(), &PlannerService::StubInterface::StartPlan, request)
          .status());
  return Follow(request.name(), arguments, /*until_started=*/true, invocation);
}

// Everything that happens from now on, of all plans, until the person stops it.
absl::StatusOr<ExitCode> WatchAll(const FollowArguments& arguments, Invocation& invocation) {
  Output& output = invocation.output();
  EventStream stream(invocation.connection(), {.only_new = true});
  output.Progress("watching every plan; end with Ctrl-C");
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<events::v1::Event> events, stream.Next(absl::Hours(1)));
    for (const events::v1::Event& event : events) {
      if (output.json()) {
        output.Json(event);
        continue;
      }
      const std::string line = EventLine(event, {.zone = absl::LocalTimeZone(),
                                                 .colour = output.colour(),
                                                 .everything = arguments.everything,
                                                 .with_plan = true});
      if (!line.empty()) output.Line(line);
    }
  }
}

absl::StatusOr<ExitCode> Watch(const FollowArguments& arguments, Invocation& invocation) {
  if (arguments.plan.empty()) return WatchAll(arguments, invocation);
  ASSIGN_OR_RETURN(const std::string plan, invocation.names().Plan(arguments.plan));
  return Follow(plan, arguments, /*until_started=*/false, invocation);
}

}  // namespace

void AddFollowCommands(CommandSet& commands) {
  const auto run = std::make_shared<FollowArguments>();
  CLI::App& run_command =
      commands.Add("run", "Start an approved plan and follow it to its end",
                   Connected([run](Invocation& invocation) { return Run(*run, invocation); }));
  run_command.add_option("PLAN", run->plan, "The plan")->required();
  run_command.add_flag("--keep-waiting", run->keep_waiting, "Go on while a person must decide");
  run_command.add_flag("--everything", run->everything, "Show every event");

  const auto watch = std::make_shared<FollowArguments>();
  CLI::App& watch_command = commands.Add(
      "watch", "Follow a plan, or everything, as it happens",
      Connected([watch](Invocation& invocation) { return Watch(*watch, invocation); }));
  watch_command.add_option("PLAN", watch->plan, "The plan; without one, every plan");
  watch_command.add_flag("--keep-waiting", watch->keep_waiting, "Go on while a person must decide");
  watch_command.add_flag("--everything", watch->everything, "Show every event");
}

}  // namespace slipway::cli
