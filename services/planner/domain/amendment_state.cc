#include "services/planner/domain/amendment_state.h"

#include <algorithm>

namespace slipway::planner {
namespace {

using enum AmendmentState;

constexpr AmendmentStep kAmendmentSteps[] = {
    {kNone, kProposed, "a running plan was edited"},
    {kProposed, kProposed, "it was edited further"},
    {kProposed, kApproved, "a person approved it"},
    {kProposed, kNone, "a person rejected it, or the run ended"},
    {kApproved, kNone, "the dispatcher took it, or the run had ended"},
    {kApproved, kRefused, "the dispatcher refused it"},
    {kRefused, kProposed, "it was edited further"},
    {kRefused, kApproved, "a person approved it once more"},
    {kRefused, kNone, "a person rejected it, or the run ended"},
};

}  // namespace

absl::Span<const AmendmentStep> AmendmentSteps() { return kAmendmentSteps; }

bool CanStep(AmendmentState from, AmendmentState to) {
  return std::any_of(std::begin(kAmendmentSteps), std::end(kAmendmentSteps),
                     [&](const AmendmentStep& step) { return step.from == from && step.to == to; });
}

absl::string_view AmendmentStateName(AmendmentState state) {
  switch (state) {
    case kNone:
      return "";
    case kProposed:
      return "PROPOSED";
    case kApproved:
      return "APPROVED";
    case kRefused:
      return "REFUSED";
  }
  return "";
}

}  // namespace slipway::planner
