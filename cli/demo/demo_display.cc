#include "cli/demo/demo_display.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/command/requests.h"
#include "cli/output/display_width.h"
#include "cli/output/event_line.h"
#include "cli/output/plan_tree.h"
#include "cli/output/quantity_text.h"

namespace slipway::cli {
namespace {

using events::v1::EventPayload;

// What is told on a terminal, where the tree shows all else.
bool IsTelling(const EventPayload& payload) {
  switch (payload.payload_case()) {
    case EventPayload::kPatchRefused:
    case EventPayload::kCandidateConflicted:
    case EventPayload::kBudgetDenied:
      return true;
    case EventPayload::kEvidenceRecorded:
      return !payload.evidence_recorded().passed();
    case EventPayload::kVerdictGiven:
      return payload.verdict_given().verdict() != "PASSED";
    default:
      return false;
  }
}

struct IncidentLook {
  const char* what;
  Tone tone;
};

IncidentLook LookOf(Story::Incident::Kind kind) {
  using Kind = Story::Incident::Kind;
  switch (kind) {
    case Kind::kRepair:
      return {"repair in attempt ", Tone::kWarning};
    case Kind::kRefused:
      return {"patch refused     ", Tone::kBad};
    case Kind::kFailed:
      return {"validators failed ", Tone::kBad};
    case Kind::kGaps:
      return {"gap found         ", Tone::kWarning};
    case Kind::kConflict:
      return {"conflict          ", Tone::kWarning};
    case Kind::kDenied:
      return {"budget denied     ", Tone::kWarning};
    case Kind::kRaised:
      return {"limit raised      ", Tone::kGood};
  }
  return {"", Tone::kPlain};
}

std::string Padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

}  // namespace

void DemoDisplay::Heading(absl::string_view text) {
  if (output_.json()) return;
  Print("");
  Print(output_.Painted(Tone::kStrong, text));
}

void DemoDisplay::Say(absl::string_view text) { Print(std::string(text)); }

void DemoDisplay::Report(absl::string_view text) {
  base::MutexLock lock(mutex_);
  reports_.emplace_back(text);
}

void DemoDisplay::Print(const std::string& line) {
  PrintReports();
  if (output_.json()) return;
  if (output_.live() && view_.has_value()) return screen_.PrintAbove(line);
  output_.Line(line);
}

void DemoDisplay::PrintReports() {
  std::vector<std::string> reports;
  {
    base::MutexLock lock(mutex_);
    reports.swap(reports_);
  }
  for (const std::string& report : reports) {
    if (output_.live() && view_.has_value()) {
      screen_.PrintAbove(report);
    } else {
      output_.Progress(report);
    }
  }
}

void DemoDisplay::ShowProposal(const PlanView& view) {
  for (const std::string& line :
       RenderPlanTree(view, {.now = clock_.Now(),
                            .colour = output_.colour(),
                            .width = output_.live() ? output_.width() - 1 : 0})) {
    Print(line);
  }
  const planner::v1::Plan& plan = view.plan;
  Print(absl::StrCat("at most ", MoneyText(plan.estimate_usd_nanos()), " for ", plan.tasks_size(),
                     " tasks in ", plan.waves_size(), " waves; the longest way is ",
                     absl::StrJoin(plan.critical_path(), " > ")));
  for (const std::string& question : plan.open_questions()) {
    Print(absl::StrCat("open question: ", OneLine(question)));
  }
}

void DemoDisplay::ShowEvent(const events::v1::Event& event) {
  if (output_.live() && !IsTelling(event.payload())) return;
  const std::string line =
      EventLine(event, {.zone = absl::LocalTimeZone(), .colour = output_.colour()});
  if (line.empty()) return;
  Print(output_.live() ? FitToWidth(line, output_.width() - 1) : line);
}

void DemoDisplay::ShowView(const PlanView& view) {
  view_ = view;
  Redraw();
}

void DemoDisplay::Redraw() {
  PrintReports();
  if (!output_.live() || !view_.has_value()) return;
  screen_.Draw(RenderPlanTree(*view_, {.now = clock_.Now(),
                                       .colour = output_.colour(),
                                       .width = output_.width() - 1,
                                       .lines_max = output_.height()}));
}

std::string DemoDisplay::Incident(const Story::Incident& incident) const {
  const IncidentLook look = LookOf(incident.kind);
  return absl::StrCat("  ", output_.Painted(look.tone, look.what), "  ", Padded(incident.task, 16),
                      OneLine(incident.text));
}

void DemoDisplay::ShowStory(const DemoSummary& summary) {
  view_.reset();  // What follows stands below the tree.
  Heading("What happened on the way");
  for (const Story::Incident& incident : summary.story.incidents()) Print(Incident(incident));
}

void DemoDisplay::ShowCosts(const DemoSummary& summary) {
  if (output_.json()) return;
  Heading("What it cost, as the ledger has it");
  TextTable table({{"TASK"}, {"COST", TextTable::Align::kRight}});
  for (const auto& [task, cost] : summary.view.cost_usd_nanos) {
    table.Add({task.empty() ? "(the plan itself)" : LastId(task), MoneyText(cost)});
  }
  table.Add({"together", MoneyText(summary.cost_usd_nanos)});
  output_.Table(table);
}

void DemoDisplay::ShowBranch(const std::string& log) {
  if (output_.json()) return;
  Heading(absl::StrCat("The branch ", SampleRepository::kBranch, " now"));
  for (const absl::string_view line : absl::StrSplit(log, '\n', absl::SkipEmpty())) {
    Print(absl::StrCat("  ", OneLine(line)));
  }
}

void DemoDisplay::ShowEnd(const DemoSummary& summary) {
  const Story& story = summary.story;
  const std::vector<std::string> problems = summary.Problems();
  if (output_.json()) return;
  Heading("Result");
  Print(absl::StrCat("  ", story.merged(), " of ", summary.view.plan.tasks_size(),
                     " tasks merged and integrated as ", summary.integration_commit.substr(0, 10),
                     " in ", DurationText(summary.took), "; ", story.repairs(),
                     " repairs by agents, ", story.retried(), " tries repaired, ", story.refused(),
                     " patch refused, ", story.conflicts(), " conflict, ", story.budget_denials(),
                     " call denied"));
  Print(absl::StrCat("  ", summary.tests.tests, " tests of the sample ",
                     summary.tests.passed ? "pass" : "FAIL", " on the merged branch"));
  for (const std::string& problem : problems) {
    Print(absl::StrCat("  ", output_.Painted(Tone::kBad, "missing:"), " ", problem));
  }
  if (!summary.tests.passed) Print(PlainText(summary.tests.output));
  Heading("Where to look next");
  if (summary.data.empty()) {
    Print("  slipway demo --keep              keeps the data, to look at with every command");
  } else {
    Print(absl::StrCat("  slipway up --data ", summary.data, "   the same suite again; then"));
    Print(absl::StrCat("  slipway show ", LastId(summary.view.plan.name()), " --data ",
                       summary.data));
    Print(absl::StrCat("  slipway logs money@1 --data ", summary.data));
    Print(absl::StrCat("  git -C ", summary.data, "/tally.git log --graph --stat ",
                       SampleRepository::kBranch));
  }
  Print("  slipway up; slipway init         your own repository");
}

}  // namespace slipway::cli
