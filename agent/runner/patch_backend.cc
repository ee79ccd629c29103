#include "agent/runner/patch_backend.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/domain/limits.h"
#include "agent/runner/prompt.h"
#include "lib/base/error.h"
#include "lib/patch/model_edit.h"

namespace slipway::agent {
namespace {

constexpr int kRepairRoundsDefault = 2;
constexpr int kRepairRoundsMax = 10;
constexpr size_t kSummaryPathsMax = 20;

Failure FailureOf(FailureClass failure_class, const absl::Status& status) {
  const std::string reason = base::ReasonOf(status);
  return {.failure_class = failure_class,
          .reason = reason.empty() ? "EDIT_REFUSED" : reason,
          .detail = std::string(status.message())};
}

std::string Summary(const std::vector<patch::TreeChange>& changes) {
  std::vector<std::string> lines;
  for (const patch::TreeChange& change : changes) {
    if (lines.size() == kSummaryPathsMax) break;
    lines.push_back(absl::StrCat(change.after.has_value() ? "writes " : "deletes ", change.path));
  }
  if (changes.size() > lines.size()) {
    lines.push_back(absl::StrCat("and ", changes.size() - lines.size(), " more"));
  }
  return absl::StrJoin(lines, "\n");
}

// "REASON: message (path, line)", as the model gets it.
std::string ErrorText(const absl::Status& status, bool cut_off) {
  std::string text = absl::StrCat(base::ReasonOf(status), ": ", status.message());
  if (cut_off) {
    absl::StrAppend(&text, "\nYour reply was cut off at the limit of its length: answer shorter.");
  }
  return text;
}

}  // namespace

Result PatchBackend::Run() {
  reporter_.Progress("context", work_.order.title);
  absl::StatusOr<std::vector<ChatMessage>> messages = MakePrompt(work_.order, tree_);
  if (!messages.ok()) return FailureOf(FailureClass::kInfrastructure, messages.status());
  const int wanted = work_.order.repair_rounds_max;
  const int rounds = wanted <= 0 ? kRepairRoundsDefault : std::min(wanted, kRepairRoundsMax);
  for (int round = 0;; ++round) {
    reporter_.Progress("model",
                       round == 0 ? "asking the model" : absl::StrCat("asking for repair ", round));
    std::variant<ModelReply, Result> asked = models_.Ask(*messages);
    if (auto* const result = std::get_if<Result>(&asked)) return std::move(*result);
    const ModelReply& reply = std::get<ModelReply>(asked);
    reporter_.Log(absl::StrCat("== reply of the model\n", reply.text, "\n"));
    reporter_.Progress("edit", absl::StrCat(reply.text.size(), " bytes of reply"));
    const absl::StatusOr<std::vector<patch::TreeChange>> changes =
        patch::ReadModelEdit(reply.text, tree_);
    if (changes.ok()) return Answer(*changes);
    const std::string error = ErrorText(changes.status(), reply.cut_off);
    reporter_.Log(absl::StrCat("== edit refused: ", error, "\n"));
    const bool empty = base::ReasonOf(changes.status()) == "EMPTY_CHANGE";
    if (empty || round == rounds) return FailureOf(FailureClass::kAgent, changes.status());
    AskForRepair(reply.text, error, *messages);
  }
}

Result PatchBackend::Answer(const std::vector<patch::TreeChange>& changes) {
  reporter_.Progress("check", absl::StrCat(changes.size(), " files change"));
  const absl::StatusOr<std::string> tree = tree_.WriteTree(changes);
  if (!tree.ok()) return FailureOf(FailureClass::kInfrastructure, tree.status());
  absl::StatusOr<std::string> diff = tree_.Diff(*tree);
  if (!diff.ok()) {
    const bool large = absl::IsOutOfRange(diff.status());
    return FailureOf(large ? FailureClass::kAgent : FailureClass::kInfrastructure, diff.status());
  }
  if (diff->empty()) {
    return Failure{.reason = "EMPTY_CHANGE", .detail = "the edit changes nothing"};
  }
  return Change{.patch = *std::move(diff), .tree = *tree, .summary = Summary(changes)};
}

}  // namespace slipway::agent
