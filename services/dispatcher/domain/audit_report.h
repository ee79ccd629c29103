#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace slipway::dispatcher {

// One invariant of the dispatcher and what was found.
struct AuditCheck {
  std::string invariant;  // "I2 at most one attempt holds a task, ..."
  int64_t checked = 0;    // How many things were looked at.
  std::vector<std::string> breaches;
};

struct AuditResult {
  std::vector<AuditCheck> checks;
  absl::Time time;  // Of the newest event.
};

// What an audit counts, by the number of the invariant: 1 to kInvariants.
class AuditReport final {
 public:
  static constexpr int kInvariants = 16;

  AuditReport();

  void Count(int invariant, int64_t things = 1) { At(invariant).checked += things; }

  // Counts one thing, and tells it when it does not hold. At most 20 lines are kept of each.
  void Expect(int invariant, bool holds, absl::string_view breach);

  // Text that is only made when it is needed.
  template <typename Text>
  void ExpectThat(int invariant, bool holds, Text text) {
    holds ? Count(invariant) : Expect(invariant, false, text());
  }

  bool holds() const;
  // The first breach, with its invariant; empty when there is none.
  std::string FirstBreach() const;
  std::vector<AuditCheck> Take() { return std::move(checks_); }

 private:
  AuditCheck& At(int invariant) { return checks_[static_cast<size_t>(invariant - 1)]; }

  std::vector<AuditCheck> checks_;
};

}  // namespace slipway::dispatcher
