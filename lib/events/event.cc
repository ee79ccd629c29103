#include "lib/events/event.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace slipway::events {
namespace {

bool KindMatches(const std::string& wanted, const std::string& kind) {
  return absl::EndsWith(wanted, ".") ? absl::StartsWith(kind, wanted) : kind == wanted;
}

}  // namespace

bool EventFilter::Matches(const EventDraft& event) const {
  if (nothing) return false;
  if (!project.empty() && event.project != project) return false;
  if (!plan.empty() && event.plan != plan) return false;
  if (!task.empty() && event.task != task) return false;
  return kinds.empty() || std::any_of(kinds.begin(), kinds.end(), [&](const std::string& kind) {
           return KindMatches(kind, event.kind);
         });
}

}  // namespace slipway::events
