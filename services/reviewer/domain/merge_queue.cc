#include "services/reviewer/domain/merge_queue.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"

namespace slipway::reviewer {
namespace {

constexpr int kWindowInitial = 3;
// What is believed before anything was seen: one change in ten fails after it passed alone.
constexpr double kFailuresBelieved = 1;
constexpr double kLandingsBelieved = 9;
// An outcome counts this much of the one after it: about twenty outcomes matter.
constexpr double kOutcomeDecay = 0.95;

// Walks the order once, from the tip along the candidates that exist.
class Walk final {
 public:
  Walk(QueueFacts& facts, const std::string& tip, const std::vector<std::string>& order,
       const QueueSettings& settings, const QueueMeasure& measure)
      : facts_(facts),
        tip_(tip),
        chain_(tip),
        settings_(settings),
        window_(std::clamp(measure.window, 1, std::max(1, settings.window_max))),
        batch_size_(BestBatchSize(measure.failure_rate, settings.batch_max)) {
    for (const std::string& change : order) plan_.places.push_back({.change = change});
  }

  absl::StatusOr<QueuePlan> Run() {
    while (next_ < plan_.places.size()) {
      ASSIGN_OR_RETURN(const std::optional<QueueFact> fact,
                       facts_.Find(plan_.places[next_].change, chain_));
      if (!fact.has_value()) {
        PlanBuilding();
        break;
      }
      if (fact->conflicts) {
        Conflict(plan_.places[next_++], chain_);
        continue;
      }
      ASSIGN_OR_RETURN(const std::vector<size_t> members, ReadGroup());
      if (!DecideGroup(members)) break;
    }
    for (; next_ < plan_.places.size(); ++next_) {
      QueuePlace& place = plan_.places[next_];
      if (place.why.empty()) place.why = "the changes ahead of it are being tried";
    }
    plan_.landing = Landing();
    return std::move(plan_);
  }

 private:
  void Conflict(QueuePlace& place, const std::string& base) {
    place.base = base;
    place.step = base == tip_ ? QueueStep::kConflict : QueueStep::kWait;
    place.why = base == tip_ ? "it conflicts with what has landed"
                             : "it conflicts with a change ahead that has not landed yet";
  }

  // The next places that were built on each other as one group; moves past them.
  absl::StatusOr<std::vector<size_t>> ReadGroup() {
    std::vector<size_t> members;
    std::string base = chain_;
    proofs_.clear();
    for (; next_ < plan_.places.size(); ++next_) {
      QueuePlace& place = plan_.places[next_];
      ASSIGN_OR_RETURN(const std::optional<QueueFact> fact, facts_.Find(place.change, base));
      if (!fact.has_value()) break;
      if (fact->conflicts) {
        if (base == chain_) break;
        Conflict(place, base);
        continue;
      }
      if (!members.empty() && fact->group != plan_.places[members.front()].group) break;
      place.base = base;
      place.commit = fact->commit;
      place.group = fact->group;
      place.ready = fact->ready;
      place.proven = fact->proof == Proof::kPassed;
      base = fact->commit;
      members.push_back(next_);
      proofs_.push_back(fact->proof);
    }
    return members;
  }

  // Returns whether what is behind the group can be looked at.
  bool DecideGroup(const std::vector<size_t>& members) {
    // How many members, from the first, a passing tree covers; a later one outweighs an earlier.
    size_t proven = 0;
    for (size_t i = 0; i < members.size(); ++i) {
      if (proofs_[i] == Proof::kPassed) proven = i + 1;
    }
    for (size_t i = 0; i < proven; ++i) {
      Take(plan_.places[members[i]], QueueStep::kProven, "its tree passed");
    }
    size_t failed = proven;
    while (failed < members.size() && proofs_[failed] != Proof::kFailed) ++failed;
    if (failed < members.size()) return DecideFailed(members, proven, failed);
    for (size_t i = proven; i < members.size(); ++i) {
      QueuePlace& place = plan_.places[members[i]];
      const bool decides = i + 1 == members.size();
      // It was built when more fitted in, or on a chain that came back.
      const bool fits = plan_.validating < window_;
      Take(place, decides && fits ? QueueStep::kValidate : QueueStep::kWait,
           !decides
               ? absl::StrCat("it is validated together with ", plan_.places[members.back()].change)
           : fits ? "its tree is validated"
                  : WindowIsFull());
    }
    if (proven < members.size() && plan_.validating < window_) ++plan_.validating;
    return true;
  }

  // The tree of member `failed` failed, that of the `proven` first ones passed.
  bool DecideFailed(const std::vector<size_t>& members, size_t proven, size_t failed) {
    for (size_t i = proven; i < members.size(); ++i) {
      plan_.places[members[i]].step = QueueStep::kWait;
      plan_.places[members[i]].why = "a change ahead of it, or of its batch, is at fault";
    }
    QueuePlace& suspect = plan_.places[members[failed]];
    if (failed > proven) {
      // A batch is taken apart only where nothing but its own members can be at fault.
      if (plan_.places[members.front()].base == tip_) Bisect(members, proven, failed);
      return false;
    }
    if (suspect.base == tip_) {
      suspect.step = QueueStep::kReject;
      suspect.why = "its validators failed on what has landed";
    } else {
      suspect.why = "its validators failed; a change ahead that has not landed may be the cause";
    }
    // What is behind goes on without it.
    next_ = members[failed] + 1;
    for (size_t i = next_; i < plan_.places.size(); ++i) {
      plan_.places[i] = {.change = plan_.places[i].change};
    }
    return true;
  }

  // As many prefixes between the last that passed and the first that failed as there are slots.
  void Bisect(const std::vector<size_t>& members, size_t proven, size_t failed) {
    const size_t inner = failed - proven;  // Prefixes that are open.
    const size_t slots = std::min<size_t>(inner, std::max(1, window_ - plan_.validating));
    for (size_t slot = 1; slot <= slots; ++slot) {
      const size_t at = proven + slot * (inner + 1) / (slots + 1) - 1;
      QueuePlace& place = plan_.places[members[at]];
      place.step = QueueStep::kValidate;
      place.why = "its batch failed: this part of it is validated";
    }
    plan_.validating += static_cast<int>(slots);
  }

  void Take(QueuePlace& place, QueueStep step, std::string why) {
    place.step = step;
    place.why = std::move(why);
    place.on_chain = true;
    chain_ = place.commit;
  }

  void PlanBuilding() {
    const int waiting = static_cast<int>(plan_.places.size() - next_);
    const int free = window_ - plan_.validating;
    if (free <= 0) {
      for (size_t i = next_; i < plan_.places.size(); ++i) {
        plan_.places[i].why = WindowIsFull();
      }
      return;
    }
    // Where every change has a slot of its own, batches would only delay some.
    const int size = std::min(batch_size_, (waiting + free - 1) / free);
    const std::string group = absl::StrCat(plan_.places[next_].change, "@", chain_);
    for (int i = 0; i < size; ++i) {
      QueuePlace& place = plan_.places[next_++];
      place.step = QueueStep::kBuild;
      place.group = group;
      place.why = "it is being built";
      if (i == 0) place.base = chain_;
    }
  }

  std::string WindowIsFull() const {
    return absl::StrCat("the window of ", window_, " validations is full");
  }

  size_t Landing() const {
    size_t landing = 0;
    for (size_t i = 0; i < plan_.places.size(); ++i) {
      const QueuePlace& place = plan_.places[i];
      // Those are out of the queue.
      if (place.step == QueueStep::kReject || place.step == QueueStep::kConflict) continue;
      if (place.step != QueueStep::kProven || !place.ready) break;
      if (place.proven) landing = i + 1;
    }
    return landing;
  }

  QueueFacts& facts_;
  const std::string tip_;
  std::string chain_;  // What the next change is built on.
  const QueueSettings settings_;
  const int window_;
  const int batch_size_;
  std::vector<Proof> proofs_;  // Of the group under decision.
  QueuePlan plan_;
  size_t next_ = 0;
};

}  // namespace

QueueMeasure MeasureOf(const QueueOutcomes& outcomes, const QueueSettings& settings) {
  double failures = 0;
  double seen = 0;
  int window = kWindowInitial;
  for (const bool landed : outcomes) {
    failures = failures * kOutcomeDecay + (landed ? 0 : 1);
    seen = seen * kOutcomeDecay + 1;
    window =
        landed ? std::min(window + 1, std::max(1, settings.window_max)) : std::max(1, window / 2);
  }
  return {.failure_rate =
              (kFailuresBelieved + failures) / (kFailuresBelieved + kLandingsBelieved + seen),
          .window = std::clamp(window, 1, std::max(1, settings.window_max))};
}

int BestBatchSize(double failure_rate, int batch_max) {
  int best = 1;
  double best_cost = 1;
  for (int size = 2; size <= batch_max; ++size) {
    const double cost = 1.0 / size + 1 - std::pow(1 - failure_rate, size);
    if (cost < best_cost) {
      best = size;
      best_cost = cost;
    }
  }
  return best;
}

absl::StatusOr<QueuePlan> PlanQueue(QueueFacts& facts, const std::string& tip,
                                    const std::vector<std::string>& order,
                                    const QueueSettings& settings, const QueueMeasure& measure) {
  return Walk(facts, tip, order, settings, measure).Run();
}

const char* NameOf(QueueStep step) {
  switch (step) {
    case QueueStep::kWait:
      return "WAIT";
    case QueueStep::kBuild:
      return "BUILD";
    case QueueStep::kValidate:
      return "VALIDATE";
    case QueueStep::kProven:
      return "PROVEN";
    case QueueStep::kReject:
      return "REJECT";
    case QueueStep::kConflict:
      return "CONFLICT";
  }
  return "";
}

}  // namespace slipway::reviewer
