#include "agent/runner/patch_backend.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/domain/limits.h"
#include "agent/runner/conversation.h"
#include "agent/runner/prompt.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/patch/model_edit.h"

namespace slipway::agent {
namespace {

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

size_t BytesOf(const std::vector<ChatMessage>& messages) {
  size_t size = 0;
  for (const ChatMessage& message : messages) size += message.content.size();
  return size;
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
  absl::StatusOr<std::vector<ChatMessage>> messages = Begin();
  if (!messages.ok()) return FailureOf(FailureClass::kInfrastructure, messages.status());
  for (int round = 0;; ++round) {
    const std::string size = absl::StrCat(BytesOf(*messages), " bytes to role ", work_.order.role);
    reporter_.Log(absl::StrCat("== prompt of ", size, ", waiting for the model\n"));
    reporter_.Progress(
        "model", absl::StrCat(round == 0 ? "asking the model" : "asking for an edit that applies",
                              ", ", size));
    std::variant<ModelReply, Result> asked = models_.Ask(*messages);
    if (auto* const result = std::get_if<Result>(&asked)) return std::move(*result);
    const ModelReply& reply = std::get<ModelReply>(asked);
    reporter_.Log(absl::StrCat("== reply of the model\n", reply.text, "\n"));
    AddReply(reply.text, *messages);
    reporter_.Progress("edit", absl::StrCat(reply.text.size(), " bytes of reply"));
    const absl::StatusOr<std::vector<patch::TreeChange>> changes =
        patch::ReadModelEdit(reply.text, tree_);
    if (changes.ok()) {
      const absl::Status saved = SaveConversation(conversation_, *messages);
      if (!saved.ok()) return FailureOf(FailureClass::kInfrastructure, saved);
      return Answer(*changes, round);
    }
    const std::string error = ErrorText(changes.status(), reply.cut_off);
    reporter_.Log(absl::StrCat("== edit refused: ", error, "\n"));
    const bool empty = base::ReasonOf(changes.status()) == "EMPTY_CHANGE";
    const bool spent = round >= work_.order.repair_rounds_max;
    if (empty || spent) return FailureOf(FailureClass::kAgent, changes.status());
    AskAfterRefusal(error, *messages);
  }
}

absl::StatusOr<std::vector<ChatMessage>> PatchBackend::Begin() {
  if (work_.findings.empty()) {
    reporter_.Progress("context", work_.order.title);
    return MakePrompt(work_.order, tree_);
  }
  ASSIGN_OR_RETURN(std::vector<ChatMessage> messages, LoadConversation(conversation_));
  AskAfterFindings(work_.findings, messages);
  return messages;
}

Result PatchBackend::Answer(const std::vector<patch::TreeChange>& changes, int rounds) {
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
  return Change{.patch = *std::move(diff),
                .tree = *tree,
                .summary = Summary(changes),
                .repair_rounds = rounds};
}

}  // namespace slipway::agent
