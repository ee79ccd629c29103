#include "services/reviewer/flow/model_dialogue.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "services/reviewer/domain/critic_prompt.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {
namespace {

constexpr int kTurns = 2;

// Whether the call of this id is over, so that the next one needs another id.
bool EndsCall(const absl::Status& status) {
  return !base::ReasonOf(status).empty() && status.code() != absl::StatusCode::kDeadlineExceeded &&
         status.code() != absl::StatusCode::kCancelled;
}

std::string TurnOf(const std::string& call, int turn) { return absl::StrCat(call, ".", turn); }

}  // namespace

absl::StatusOr<std::string> ModelDialogue::Ask(
    const std::string& call, ModelRequest request,
    absl::FunctionRef<absl::Status(absl::string_view)> read) {
  std::string problem;
  for (int turn = 1; turn <= kTurns; ++turn) {
    ASSIGN_OR_RETURN(const std::string reply, Call(TurnOf(call, turn), request));
    const absl::Status status = read(reply);
    if (status.ok()) return "";
    problem = std::string(status.message());
    request.turns.push_back({.assistant = true, .text = reply.substr(0, kCriticReplyBytesMax)});
    request.turns.push_back({.assistant = false, .text = BuildRepairPrompt(problem)});
  }
  // Both replies are on record: the next try asks anew.
  for (int turn = 1; turn <= kTurns; ++turn) {
    RETURN_IF_ERROR(store_.EndTry(TurnOf(call, turn)));
  }
  return problem;
}

absl::StatusOr<std::string> ModelDialogue::Call(const std::string& call, ModelRequest& request) {
  ASSIGN_OR_RETURN(const int current, store_.CurrentTry(call));
  request.call_id = absl::StrCat(call, ".", current);
  absl::StatusOr<std::string> reply = models_.Generate(request);
  if (!reply.ok() && EndsCall(reply.status())) RETURN_IF_ERROR(store_.EndTry(call));
  return reply;
}

}  // namespace slipway::reviewer
