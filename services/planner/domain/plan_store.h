#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/planner/domain/event.h"
#include "services/planner/domain/plan.h"
#include "services/planner/domain/project.h"

namespace slipway::planner {

// How far the drafting of a plan is. Stored before each call to a model.
struct Draft {
  int round = 1;    // The first reply is round 1.
  int attempt = 0;  // Calls within the round.
  std::string call_id;
  bool call_pending = false;  // Nobody has seen the end of `call_id` yet.
  std::string refused_reply;  // What round > 1 shall repair, and why.
  std::string problem;
  int64_t context_tokens = 0;
  int unexplained = 0;  // Errors in a row that nobody can explain.
  int waits = 0;        // Waits in a row.

  friend bool operator==(const Draft&, const Draft&) = default;
};

// A change of one plan, made in one transaction. `head` is as stored and is stored as it is left.
struct PlanChange {
  PlanHead head;
  std::optional<Draft> draft;            // As stored; absent when the plan is not being drafted.
  bool start_ordered = false;            // As stored: whether it waits for the dispatcher.
  int next_version = 1;                  // As stored: that of the next content.
  std::optional<PlanContent> content;    // Becomes version `head.version`.
  std::optional<Project> approved_with;  // The project as it is at the approval.
  std::vector<Event> events;
};
using ChangePlanFn = absl::FunctionRef<absl::Status(PlanChange&)>;

// A plan that is new.
struct NewPlan {
  PlanHead head;  // Its id is a wish: "-2" and so on is added when it is taken.
  std::string spec;
  std::optional<PlanContent> content;  // Absent: it is drafted.
  std::string request_id;              // Empty: every call makes a plan.
  std::string actor;
};

// Which plans to list.
struct PlanQuery {
  std::string project;             // Id; empty means all.
  std::optional<PlanState> state;  // Absent means all.
  int64_t before = 0;              // Only older ones than this position; 0 means from the newest.
  int limit = 0;
};
struct PlanRow {
  int64_t position = 0;
  PlanHead head;
};

// Keeps projects and plans. State and its events are one transaction. Thread-safe; blocks on disk.
class PlanStore {
 public:
  virtual ~PlanStore() = default;

  // A repeat of `request_id` returns the project that the first call made. PROJECT_EXISTS.
  virtual absl::StatusOr<Project> CreateProject(const Project& project,
                                                const std::string& request_id,
                                                const Event& event) = 0;
  // Stores `project` as the version after project.version. PROJECT_UNKNOWN, VERSION_MISMATCH.
  virtual absl::StatusOr<Project> UpdateProject(const Project& project, const Event& event) = 0;
  virtual absl::StatusOr<Project> GetProject(const std::string& id) = 0;
  // By id, after `after`.
  virtual absl::StatusOr<std::vector<Project>> ListProjects(const std::string& after, bool archived,
                                                            int limit) = 0;

  // The plan that an earlier call with this request id made in this project.
  virtual absl::StatusOr<std::optional<PlanHead>> FindPlanOfRequest(
      const std::string& project, const std::string& request_id) = 0;
  // Stores the plan, its spec and first version, and says so in the log. A repeat of the request id
  // returns the first plan. RESOURCE_EXHAUSTED when too many are drafted or have that id.
  virtual absl::StatusOr<PlanHead> CreatePlan(const NewPlan& plan) = 0;
  // Runs `change` on the stored plan and stores the result; a step that plan_state.h or
  // amendment_state.h does not know is INTERNAL. PLAN_UNKNOWN, or what `change` returns.
  virtual absl::StatusOr<PlanHead> ChangePlan(const std::string& project, const std::string& id,
                                              ChangePlanFn change) = 0;

  virtual absl::StatusOr<PlanHead> GetHead(const std::string& project, const std::string& id) = 0;
  virtual absl::StatusOr<std::string> GetSpec(const std::string& project,
                                              const std::string& id) = 0;
  // VERSION_UNKNOWN.
  virtual absl::StatusOr<PlanContent> GetContent(const std::string& project, const std::string& id,
                                                 int version) = 0;
  virtual absl::StatusOr<Draft> GetDraft(const std::string& project, const std::string& id) = 0;
  // The project as it was when the plan was approved.
  virtual absl::StatusOr<Project> GetApprovedProject(const std::string& project,
                                                     const std::string& id) = 0;
  // Newest first.
  virtual absl::StatusOr<std::vector<PlanRow>> ListPlans(const PlanQuery& query) = 0;
  // Plans that the dispatcher has not taken over though their start was ordered, and those whose
  // approved amendment it has not taken.
  virtual absl::StatusOr<std::vector<PlanHead>> ListOrders() = 0;

  // Where reading another service's log goes on; empty at first.
  virtual absl::StatusOr<std::string> GetCursor(const std::string& log) = 0;
  virtual absl::Status SetCursor(const std::string& log, const std::string& token) = 0;
};

}  // namespace slipway::planner
