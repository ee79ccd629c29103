#include "services/reviewer/domain/change.h"

namespace slipway::reviewer {

const char* NameOf(MergeMethod method) {
  switch (method) {
    case MergeMethod::kFastPath:
      return "FAST_PATH";
    case MergeMethod::kThreeWay:
      return "THREE_WAY";
    case MergeMethod::kUnchanged:
      return "UNCHANGED";
  }
  return "";
}

const char* NameOf(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kPassed:
      return "PASSED";
    case VerdictKind::kGapsFound:
      return "GAPS_FOUND";
    case VerdictKind::kHumanNeeded:
      return "HUMAN_NEEDED";
  }
  return "";
}

}  // namespace slipway::reviewer
