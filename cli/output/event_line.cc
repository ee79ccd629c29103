#include "cli/output/event_line.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/client/plan_view.h"
#include "cli/output/display_width.h"
#include "cli/output/plan_tree.h"
#include "cli/output/quantity_text.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {
namespace {

using events::v1::Event;
using events::v1::EventPayload;

// What an event says, and how it looks.
struct Sentence {
  std::string text;
  Tone tone = Tone::kPlain;
};

std::string Reasons(const std::string& reason, const std::string& detail) {
  std::string text;
  if (!reason.empty()) absl::StrAppend(&text, " (", reason, ")");
  if (!detail.empty()) absl::StrAppend(&text, ": ", detail);
  return text;
}

template <typename Changed>
Sentence StateSentence(const Changed& changed, const std::string& reasons) {
  return {absl::StrCat(SymbolOfState(changed.to()), " ", StateText(changed.to()), reasons),
          ToneOfState(changed.to())};
}

Sentence DiagnosisSentence(const events::v1::CheckpointDiagnosed& diagnosed) {
  if (diagnosed.cause().empty()) {
    return {absl::StrCat("no diagnosis: ", diagnosed.problem()), Tone::kPlain};
  }
  return {absl::StrCat(diagnosed.role(), " says why, and would ",
                       absl::AsciiStrToLower(diagnosed.advice()), ": ", diagnosed.cause()),
          Tone::kPlain};
}

Sentence TaskSentence(const EventPayload& payload) {
  switch (payload.payload_case()) {
    case EventPayload::kTaskStateChanged:
      return StateSentence(
          payload.task_state_changed(),
          Reasons(payload.task_state_changed().reason(), payload.task_state_changed().detail()));
    case EventPayload::kCheckpointOpened:
      return {absl::StrCat("? a person must decide (", payload.checkpoint_opened().reason(),
                           "): ", payload.checkpoint_opened().question()),
              Tone::kBad};
    case EventPayload::kCheckpointDiagnosed:
      return DiagnosisSentence(payload.checkpoint_diagnosed());
    case EventPayload::kCheckpointResolved:
      return {absl::StrCat("decided: ", StateText(payload.checkpoint_resolved().decision())),
              Tone::kGood};
    case EventPayload::kPatchRefused:
      return {absl::StrCat("✘ patch refused: ", payload.patch_refused().reason(), " ",
                           payload.patch_refused().path(),
                           Reasons("", payload.patch_refused().detail())),
              Tone::kBad};
    case EventPayload::kCandidateConflicted:
      return {absl::StrCat("✘ conflict in ",
                           absl::StrJoin(payload.candidate_conflicted().paths(), ", ")),
              Tone::kWarning};
    case EventPayload::kEvidenceRecorded:
      if (payload.evidence_recorded().passed()) return {"validators passed", Tone::kGood};
      return {absl::StrCat("✘ validators failed: ",
                           absl::StrJoin(payload.evidence_recorded().failed(), ", ")),
              Tone::kBad};
    case EventPayload::kVerdictGiven:
      return {absl::StrCat("verdict ", StateText(payload.verdict_given().verdict()),
                           Reasons("", payload.verdict_given().summary()))};
    case EventPayload::kBranchReturned:
      return {absl::StrCat("↩ ", payload.branch_returned().branch(), " is in the state of ",
                           payload.branch_returned().target().substr(0, 10), " again",
                           Reasons("", payload.branch_returned().reason())),
              Tone::kWarning};
    case EventPayload::kChangeMerged:
      return {absl::StrCat("✔ merged as ", payload.change_merged().to().substr(0, 10)),
              Tone::kGood};
    default:
      return {};
  }
}

// "adds a, b; changes c", from either side's event.
template <typename Lists>
std::string TaskLists(const Lists& lists) {
  std::vector<std::string> parts;
  if (!lists.added().empty()) {
    parts.push_back(absl::StrCat("adds ", absl::StrJoin(lists.added(), ", ")));
  }
  if (!lists.changed().empty()) {
    parts.push_back(absl::StrCat("changes ", absl::StrJoin(lists.changed(), ", ")));
  }
  if (!lists.removed().empty()) {
    parts.push_back(absl::StrCat("removes ", absl::StrJoin(lists.removed(), ", ")));
  }
  return absl::StrJoin(parts, "; ");
}

Sentence AmendmentSentence(const events::v1::PlanAmendmentChanged& changed) {
  const std::string version = absl::StrCat("version ", changed.version());
  if (changed.to() == "PROPOSED") {
    return {absl::StrCat("? ", version, " waits for approval: ", TaskLists(changed)),
            Tone::kWarning};
  }
  if (changed.to() == "REFUSED") {
    return {absl::StrCat("✘ ", version, " was refused", Reasons("", changed.detail())), Tone::kBad};
  }
  return {absl::StrCat(version, " ", StateText(changed.to()), Reasons("", changed.detail()))};
}

Sentence PlanSentence(const EventPayload& payload) {
  switch (payload.payload_case()) {
    case EventPayload::kPlanStateChanged:
      return StateSentence(payload.plan_state_changed(),
                           Reasons("", payload.plan_state_changed().reason()));
    case EventPayload::kPlanRevised:
      return {absl::StrCat("version ", payload.plan_revised().version(), " with ",
                           payload.plan_revised().tasks(), " tasks")};
    case EventPayload::kPlanAmendmentChanged:
      return AmendmentSentence(payload.plan_amendment_changed());
    case EventPayload::kRunAmended:
      return {absl::StrCat("version ", payload.run_amended().version(),
                           " runs now: ", TaskLists(payload.run_amended())),
              Tone::kGood};
    case EventPayload::kPlanReplyRejected:
      return {
          absl::StrCat("the draft was not good", Reasons(payload.plan_reply_rejected().reason(),
                                                         payload.plan_reply_rejected().detail())),
          Tone::kWarning};
    case EventPayload::kRunStateChanged:
      return StateSentence(payload.run_state_changed(),
                           Reasons("", payload.run_state_changed().detail()));
    case EventPayload::kIntegrationChanged:
      return {absl::StrCat("integration ", StateText(payload.integration_changed().state()),
                           Reasons("", payload.integration_changed().detail()))};
    case EventPayload::kPauseChanged:
      return {absl::StrCat(payload.pause_changed().paused() ? "‖ paused " : "goes on: ",
                           payload.pause_changed().scope(),
                           Reasons(payload.pause_changed().reason(), "")),
              Tone::kWarning};
    case EventPayload::kBudgetDenied:
      return {absl::StrCat("‖ a budget refused a call: ", payload.budget_denied().scope(),
                           Reasons(payload.budget_denied().cause(), "")),
              Tone::kWarning};
    case EventPayload::kBudgetFrozen:
      return {absl::StrCat(payload.budget_frozen().frozen() ? "‖ spending is stopped in "
                                                            : "spending goes on in ",
                           payload.budget_frozen().scope(),
                           Reasons(payload.budget_frozen().reason(), "")),
              payload.budget_frozen().frozen() ? Tone::kWarning : Tone::kPlain};
    case EventPayload::kBudgetWarned:
      return {absl::StrCat(payload.budget_warned().percent(), "% of a budget is used"),
              Tone::kWarning};
    case EventPayload::kGateChanged:
      return {absl::StrCat(payload.gate_changed().gate(),
                           payload.gate_changed().closed() ? " is closed" : " is open again",
                           Reasons(payload.gate_changed().cause(), "")),
              Tone::kWarning};
    default:
      return {};
  }
}

// What is shown only when everything is asked for.
Sentence MinorSentence(const EventPayload& payload) {
  switch (payload.payload_case()) {
    case EventPayload::kAttemptStateChanged:
      return StateSentence(payload.attempt_state_changed(),
                           Reasons(payload.attempt_state_changed().reason(),
                                   payload.attempt_state_changed().detail()));
    case EventPayload::kAttemptProgressed:
      return {absl::StrCat(payload.attempt_progressed().phase(),
                           Reasons("", payload.attempt_progressed().detail()))};
    case EventPayload::kUsageRecorded:
      return {absl::StrCat(payload.usage_recorded().model(), " cost ",
                           MoneyText(payload.usage_recorded().cost_usd_nanos()))};
    case EventPayload::kBudgetChanged:
      return {absl::StrCat("limit of ", payload.budget_changed().scope(), " set to ",
                           payload.budget_changed().metric() == "USD_NANOS"
                               ? MoneyText(payload.budget_changed().new_limit())
                               : CountText(payload.budget_changed().new_limit()))};
    case EventPayload::kCallFinished:
      return {absl::StrCat("call to ", payload.call_finished().model(), " ",
                           StateText(payload.call_finished().outcome()),
                           Reasons(payload.call_finished().reason(), ""))};
    default:
      return {};
  }
}

std::string LastId(const std::string& name) { return name.substr(name.rfind('/') + 1); }

std::string SubjectOf(const Event& event, bool with_plan) {
  std::string subject = with_plan && !event.plan().empty() ? LastId(event.plan()) : "";
  if (!event.task().empty()) {
    absl::StrAppend(&subject, subject.empty() ? "" : "/", LastId(event.task()));
  }
  if (!event.attempt().empty()) absl::StrAppend(&subject, "@", LastId(event.attempt()));
  if (!subject.empty()) return subject;
  return event.plan().empty() ? event.log() : "plan";
}

}  // namespace

std::string EventLine(const Event& event, const EventLineOptions& options) {
  Sentence sentence = TaskSentence(event.payload());
  if (sentence.text.empty()) sentence = PlanSentence(event.payload());
  if (sentence.text.empty() && options.everything) sentence = MinorSentence(event.payload());
  if (sentence.text.empty() && options.everything) sentence.text = event.kind();
  if (sentence.text.empty()) return "";
  std::string subject = SubjectOf(event, options.with_plan);
  subject.resize(std::max<size_t>(subject.size(), 16), ' ');
  return absl::StrCat(
      Paint(Tone::kQuiet,
            absl::FormatTime("%H:%M:%S", rpc::FromProto(event.append_time()), options.zone),
            options.colour),
      "  ", subject, "  ", Paint(sentence.tone, OneLine(sentence.text), options.colour));
}

}  // namespace slipway::cli
