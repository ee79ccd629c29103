#include "cli/output/plan_tree.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "cli/output/display_width.h"
#include "cli/output/quantity_text.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using dispatcher::v1::Run;
using dispatcher::v1::Task;
using planner::v1::Plan;

struct Look {
  const char* symbol;
  Tone tone;
};

Look LookOf(absl::string_view state) {
  static const auto& looks = *new std::map<absl::string_view, Look>{
      {"MERGED", {"✔", Tone::kGood}},        {"SUCCEEDED", {"✔", Tone::kGood}},
      {"COMPLETED", {"✔", Tone::kGood}},     {"ACCEPTED", {"✔", Tone::kGood}},
      {"FAILED", {"✘", Tone::kBad}},         {"LOST", {"✘", Tone::kBad}},
      {"REJECTED", {"✘", Tone::kBad}},       {"REVOKED", {"✘", Tone::kWarning}},
      {"RUNNING", {"●", Tone::kActive}},     {"ACTIVE", {"●", Tone::kActive}},
      {"INSPECTING", {"●", Tone::kActive}},  {"VALIDATING", {"●", Tone::kActive}},
      {"JUDGING", {"●", Tone::kActive}},     {"MERGING", {"●", Tone::kActive}},
      {"INTEGRATING", {"●", Tone::kActive}}, {"DRAFTING", {"●", Tone::kActive}},
      {"OFFERED", {"●", Tone::kActive}},     {"REPORTED", {"●", Tone::kActive}},
      {"RETRY_WAIT", {"↻", Tone::kWarning}}, {"PAUSED", {"‖", Tone::kWarning}},
      {"NEEDS_HUMAN", {"?", Tone::kBad}},    {"PROPOSED", {"?", Tone::kWarning}},
      {"READY", {"◌", Tone::kPlain}},        {"APPROVED", {"◌", Tone::kPlain}},
      {"SKIPPED", {"–", Tone::kQuiet}},      {"CANCELLED", {"–", Tone::kQuiet}},
      {"SALVAGED", {"–", Tone::kQuiet}},     {"BLOCKED", {"·", Tone::kQuiet}},
  };
  const auto found = looks.find(absl::StripPrefix(state, "STATE_"));
  return found != looks.end() ? found->second : Look{"·", Tone::kPlain};
}

// One line of the tree before it is aligned.
struct Row {
  std::string state;
  std::string id;
  std::string title;
  std::string facts;  // Cost, retries.
  std::string detail;
  bool ended = false;
};

bool Ended(Task::State state) {
  return state == Task::STATE_MERGED || state == Task::STATE_SKIPPED ||
         state == Task::STATE_CANCELLED;
}

int64_t CostOf(const PlanView& view, const std::string& task) {
  const auto found = view.cost_usd_nanos.find(task);
  return found != view.cost_usd_nanos.end() ? found->second : 0;
}

std::string DetailOf(const Task& task, const TreeOptions& options) {
  std::vector<std::string> parts;
  if (task.state() == Task::STATE_BLOCKED) {
    return absl::StrCat("after ", absl::StrJoin(task.spec().depends_on(), ", "));
  }
  if (!task.reason().empty()) parts.push_back(StateText(task.reason()));
  if (!task.detail().empty()) parts.push_back(OneLine(task.detail()));
  if (task.has_wait()) parts.push_back(absl::StrCat("waits: ", OneLine(task.wait().detail())));
  if (task.has_resume_time()) {
    parts.push_back(RelativeText(rpc::FromProto(task.resume_time()), options.now));
  }
  return absl::StrJoin(parts, ", ");
}

Row RowOf(const Task& task, const PlanView& view, const TreeOptions& options) {
  Row row{.state = Task::State_Name(task.state()),
          .id = task.name().substr(task.name().rfind('/') + 1),
          .title = OneLine(task.title()),
          .facts = MoneyText(CostOf(view, task.name())),
          .detail = DetailOf(task, options),
          .ended = Ended(task.state())};
  int retries = 0;
  for (const auto& [kind, count] : task.retries()) retries += count;
  if (retries > 0)
    absl::StrAppend(&row.facts, retries == 1 ? ", 1 retry" : ", ",
                    retries == 1 ? "" : absl::StrCat(retries, " retries"));
  return row;
}

Row RowOf(const planner::v1::PlanTask& task) {
  return {.state = task.depends_on().empty() ? "READY" : "BLOCKED",
          .id = task.id(),
          .title = OneLine(task.title()),
          .facts = absl::StrCat("at most ", MoneyText(task.estimate_usd_nanos())),
          .detail = task.depends_on().empty()
                        ? ""
                        : absl::StrCat("after ", absl::StrJoin(task.depends_on(), ", "))};
}

std::vector<Row> RowsOf(const PlanView& view, const TreeOptions& options) {
  std::vector<Row> rows;
  for (const Task& task : view.tasks) rows.push_back(RowOf(task, view, options));
  if (view.tasks.empty()) {
    for (const planner::v1::PlanTask& task : view.plan.tasks()) rows.push_back(RowOf(task));
  }
  return rows;
}

std::string StateOf(const PlanView& view) {
  if (StandingOf(view) == Standing::kWaitsForPerson) return "NEEDS_HUMAN";
  if (view.plan.state() == Plan::STATE_RUNNING && view.run.has_value()) {
    return Run::State_Name(view.run->state());
  }
  return Plan::State_Name(view.plan.state());
}

std::string HeadOf(const PlanView& view, const TreeOptions& options) {
  const std::string state = StateOf(view);
  std::vector<std::string> facts = {
      Paint(ToneOfState(state), state == "NEEDS_HUMAN" ? "waits for you" : StateText(state),
            options.colour)};
  if (!view.tasks.empty()) {
    const auto merged = std::count_if(view.tasks.begin(), view.tasks.end(), [](const Task& task) {
      return task.state() == Task::STATE_MERGED;
    });
    facts.push_back(absl::StrCat(merged, "/", view.tasks.size(), " merged"));
  }
  facts.push_back(MoneyText(view.TotalCost()));
  if (view.run.has_value() && view.run->has_start_time()) {
    const absl::Time end =
        view.run->has_end_time() ? rpc::FromProto(view.run->end_time()) : options.now;
    facts.push_back(DurationText(end - rpc::FromProto(view.run->start_time())));
  }
  const std::string title = FitToWidth(OneLine(view.plan.title()), 60);
  return absl::StrCat(Paint(ToneOfState(state), SymbolOfState(state), options.colour), " ",
                      Paint(Tone::kStrong, title, options.colour), "  ",
                      absl::StrJoin(facts, "  "));
}

std::string Pad(const std::string& text, int width) {
  return text + std::string(static_cast<size_t>(std::max(0, width - DisplayWidth(text))), ' ');
}

struct Widths {
  int id = 0;
  int title = 0;
  int state = 0;
  int facts = 0;
};

Widths WidthsOf(const std::vector<Row>& rows) {
  constexpr int kTitleMax = 36;
  Widths widths;
  for (const Row& row : rows) {
    widths.id = std::max(widths.id, DisplayWidth(row.id));
    widths.title = std::max(widths.title, std::min(kTitleMax, DisplayWidth(row.title)));
    widths.state = std::max(widths.state, DisplayWidth(StateText(row.state)));
    widths.facts = std::max(widths.facts, DisplayWidth(row.facts));
  }
  return widths;
}

std::string LineOf(const Row& row, const Widths& widths, bool last, const TreeOptions& options) {
  const std::string before = absl::StrCat(
      Pad(row.id, widths.id), "  ", Pad(FitToWidth(row.title, widths.title), widths.title), "  ");
  const std::string state = Pad(StateText(row.state), widths.state);
  std::string after = absl::StrCat("  ", Pad(row.facts, widths.facts), "  ", row.detail);
  if (options.width > 0) {
    // "├─ ", the symbol and its blank.
    const int used = 3 + 2 + DisplayWidth(before) + DisplayWidth(state);
    after = FitToWidth(after, std::max(0, options.width - used));
  }
  while (!after.empty() && after.back() == ' ') after.pop_back();
  return absl::StrCat(Paint(Tone::kQuiet, last ? "└─ " : "├─ ", options.colour),
                      Paint(ToneOfState(row.state), SymbolOfState(row.state), options.colour), " ",
                      before, Paint(ToneOfState(row.state), state, options.colour), after);
}

}  // namespace

Tone ToneOfState(absl::string_view state) { return LookOf(state).tone; }

std::string SymbolOfState(absl::string_view state) { return LookOf(state).symbol; }

std::vector<std::string> RenderPlanTree(const PlanView& view, const TreeOptions& options) {
  std::vector<Row> rows = RowsOf(view, options);
  const Widths widths = WidthsOf(rows);
  size_t hidden = 0;
  const auto room = static_cast<size_t>(std::max(3, options.lines_max) - 2);
  if (options.lines_max > 0 && rows.size() > room) {
    const size_t all = rows.size();
    rows.erase(std::remove_if(rows.begin(), rows.end(), [](const Row& row) { return row.ended; }),
               rows.end());
    if (rows.size() > room) rows.resize(room);
    hidden = all - rows.size();
  }
  std::vector<std::string> lines = {HeadOf(view, options)};
  for (size_t i = 0; i < rows.size(); ++i) {
    lines.push_back(LineOf(rows[i], widths, i + 1 == rows.size() && hidden == 0, options));
  }
  if (hidden > 0) {
    lines.push_back(
        Paint(Tone::kQuiet, absl::StrCat("└─ … and ", hidden, " more"), options.colour));
  }
  return lines;
}

}  // namespace slipway::cli
