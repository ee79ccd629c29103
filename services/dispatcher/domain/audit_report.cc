#include "services/dispatcher/domain/audit_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/utf8.h"

namespace slipway::dispatcher {
namespace {

constexpr size_t kBreachesMax = 20;  // What a person reads; the first ones tell where to look.
constexpr size_t kBreachBytesMax = 400;

constexpr const char* kInvariantNames[AuditReport::kInvariants] = {
    "I1 every task of a run under way has a next step, an ended run has none left",
    "I2 at most one attempt holds a task, the one of its epoch, and epochs rise by one",
    "I3 nothing is accepted from an epoch below the newest",
    "I4 a task is merged at most once, with its commit",
    "I5 the log has no gap, walks the transition tables, and gives the tables",
    "I6 what a filter selects by is right in every event, and cursors are before the log",
    "I7 no grant before what the task depends on is merged or left out by a person",
    "I8 no grant in a paused scope, or beyond a limit of project, plan, credential, lane or host",
    "I9 keys for models are open for attempts at work alone, or known to be revoked",
    "I10 what was answered is stored, and every row belongs to one that exists",
    "I11 a fenced attempt changes nothing any more; its late result is salvage",
    "I12 pauses and faults of others charge no agent retry; retries stay within their class",
    "I13 no task is passed over by one of its plan that is less urgent by priority and waiting",
    "I14 every attempt has an agent on a host, a live one an agent of its own",
    "I15 a lease ends after silence on the monotonic clock alone, never by the wall's",
    "I16 a restart takes no attempt from an agent that lives",
};

}  // namespace

AuditReport::AuditReport() {
  for (const char* name : kInvariantNames) checks_.push_back({.invariant = name});
}

void AuditReport::Expect(int invariant, bool holds, absl::string_view breach) {
  AuditCheck& check = At(invariant);
  ++check.checked;
  if (holds || check.breaches.size() >= kBreachesMax) return;
  check.breaches.push_back(base::ToUtf8(breach, kBreachBytesMax));
}

bool AuditReport::holds() const {
  return std::all_of(checks_.begin(), checks_.end(),
                     [](const AuditCheck& check) { return check.breaches.empty(); });
}

std::string AuditReport::FirstBreach() const {
  for (const AuditCheck& check : checks_) {
    if (!check.breaches.empty()) return absl::StrCat(check.invariant, ": ", check.breaches.front());
  }
  return "";
}

}  // namespace slipway::dispatcher
