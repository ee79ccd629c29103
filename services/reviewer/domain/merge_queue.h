#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

// The decisions of a merge queue: which changes are built on which, what is validated, what may
// land and what leaves. All of it follows from the order of the changes, the tip, and what is
// stored of candidates, evidence and verdicts, so that it is decided anew after every event and
// every restart.
namespace slipway::reviewer {

enum class Proof { kMissing, kPassed, kFailed };

// What is known of a change on a base.
struct QueueFact {
  bool conflicts = false;         // It does not merge there; the rest is empty.
  std::string commit;             // The candidate.
  std::string group;              // Neighbours of one group are validated by the last one's tree.
  Proof proof = Proof::kMissing;  // Of the candidate's own tree.
  bool ready = false;             // Judged, and asked to land.
};

class QueueFacts {
 public:
  virtual ~QueueFacts() = default;
  // Nothing when no candidate of the change was built on the base.
  virtual absl::StatusOr<std::optional<QueueFact>> Find(const std::string& change,
                                                        const std::string& base) = 0;
};

struct QueueSettings {
  int window_max = 8;  // Validations under way at once.
  int batch_max = 8;   // Changes validated as one; 1: every landed commit has evidence of its own.
};

// What the changes of a plan came to: true landed, false was rejected by validators. Oldest first.
using QueueOutcomes = std::vector<bool>;

struct QueueMeasure {
  double failure_rate = 0;  // Expected of the next change.
  int window = 0;           // Grows by one with each landing, halves with each rejection.
};
QueueMeasure MeasureOf(const QueueOutcomes& outcomes, const QueueSettings& settings);

// The batch size with the fewest validations per change, 1/n + 1-(1-p)^n; 1 when none saves any.
int BestBatchSize(double failure_rate, int batch_max);

enum class QueueStep {
  kWait,      // Nothing to do until something changes.
  kBuild,     // Its candidate is to be built.
  kValidate,  // Its tree decides about its group, or about a part of it.
  kProven,    // A passing tree covers it: on to the verdict, then to land.
  kReject,    // Its validators failed, and nothing ahead of it can be the cause.
  kConflict,  // It conflicts with what has landed.
};

struct QueuePlace {
  std::string change;
  QueueStep step = QueueStep::kWait;
  bool on_chain = false;  // What is behind it is built on it.
  std::string base;       // What it is, or is to be, built on; empty while that is open.
  std::string commit;     // Empty when it was not built there.
  std::string group;      // Of its candidate; for kBuild the one to give it.
  bool proven = false;    // Its own tree passed.
  bool ready = false;
  std::string why;  // One line for a person.
};

struct QueuePlan {
  std::vector<QueuePlace> places;  // In the order of the queue.
  // How many places from the front land now, by one move of the branch to the last one's commit;
  // those not on the chain are left out.
  size_t landing = 0;
  int validating = 0;
};

// Decides about `order`, the changes under review in the order in which they are to land. After
// building what is kBuild (in order, each on the one before; bases of all but the first are open)
// it is asked again.
absl::StatusOr<QueuePlan> PlanQueue(QueueFacts& facts, const std::string& tip,
                                    const std::vector<std::string>& order,
                                    const QueueSettings& settings, const QueueMeasure& measure);

// "WAIT", ...
const char* NameOf(QueueStep step);

}  // namespace slipway::reviewer
