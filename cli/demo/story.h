#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "slipway/events/v1/event.pb.h"

namespace slipway::cli {

// What a plan went through, counted from its events. An event that comes twice counts once.
// Not thread-safe.
class Story final {
 public:
  // Something that a reader of the story wants to know.
  struct Incident {
    enum class Kind { kRepair, kRefused, kFailed, kGaps, kConflict, kDenied, kRaised };
    Kind kind;
    std::string task;  // Its id.
    std::string text;
  };

  // Whether the event was new.
  bool Add(const events::v1::Event& event);

  int merged() const { return static_cast<int>(merged_.size()); }  // Tasks of the plan.
  int repairs() const { return repairs_; }  // Rounds in which an agent had its change repaired.
  int retried() const { return retried_; }  // Tries that went back to an agent with feedback.
  int refused() const { return refused_; }  // Patches that the policy refused.
  int failed() const { return failed_; }    // Changes that were rejected by the validators.
  int gaps() const { return gaps_; }        // Verdicts that found gaps.
  int conflicts() const { return conflicts_; }
  int budget_denials() const { return budget_denials_; }
  int parallel_max() const { return parallel_max_; }  // Most agents that wrote at once.

  // In the order in which they happened.
  const std::vector<Incident>& incidents() const { return incidents_; }

 private:
  void AddTaskState(const std::string& task, const events::v1::TaskStateChanged& change);
  void AddAttemptState(const std::string& task, const std::string& attempt,
                       const events::v1::AttemptStateChanged& change);
  void AddProgress(const std::string& task, const events::v1::AttemptProgressed& progress);
  void AddReview(const std::string& task, const events::v1::EventPayload& payload);
  void AddMoney(const std::string& task, const events::v1::EventPayload& payload);

  std::map<std::string, std::set<int64_t>> seen_;  // Sequences by log.
  std::set<std::string> merged_;
  std::set<std::string> writing_;  // Attempts.
  std::vector<Incident> incidents_;
  int repairs_ = 0;
  int retried_ = 0;
  int refused_ = 0;
  int failed_ = 0;
  int gaps_ = 0;
  int conflicts_ = 0;
  int budget_denials_ = 0;
  int parallel_max_ = 0;
};

}  // namespace slipway::cli
