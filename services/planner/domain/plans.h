#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/base/clock.h"
#include "services/planner/domain/dispatcher_client.h"
#include "services/planner/domain/drafter.h"
#include "services/planner/domain/model_client.h"
#include "services/planner/domain/plan_edit.h"
#include "services/planner/domain/plan_store.h"
#include "services/planner/domain/repository_client.h"

namespace slipway::planner {

// Where a plan is.
struct PlanName {
  std::string project;  // Id.
  std::string id;
};

// The rules of plans up to their approval, and of changes to those that run up to theirs.
// Thread-safe; blocks. The collaborators must outlive it.
class Plans final {
 public:
  struct Collaborators {
    PlanStore& store;
    RepositoryClient& repository;
    ModelClient& models;
    Drafter& drafter;
    DispatcherClient& dispatcher;
    base::Clock& clock;
  };
  explicit Plans(const Collaborators& with) : with_(with) {}

  struct Wish {
    std::string project;  // Id.
    std::string spec;
    std::string title;
    Rigor rigor = Rigor::kUnspecified;
    std::string request_id;
    std::string actor;
  };
  // Stores the spec and begins to draft.
  absl::StatusOr<Plan> Create(const Wish& wish);

  // Stores a plan that is written already. `base_commit` may be empty.
  absl::StatusOr<Plan> Import(const Wish& wish, PlanContent content,
                              const std::string& base_commit);

  // `version` 0 means the newest. A plan that is being drafted has no tasks yet.
  absl::StatusOr<Plan> Get(const PlanName& name, int version);

  absl::StatusOr<std::vector<PlanRow>> List(const PlanQuery& query);

  struct Edit {
    int version = 0;  // That was read.
    absl::Span<const TaskEdit> edits;
    absl::Span<const Task> added;
    std::string actor;
  };
  // Of a plan that runs the edit becomes its amendment, when the dispatcher could take it now.
  absl::StatusOr<Plan> EditPlan(const PlanName& name, const Edit& edit);

  // `to` 0 means the newest.
  absl::StatusOr<std::vector<std::string>> Diff(const PlanName& name, int from, int to);

  // Of an amendment it stores the approval; Starter::HandOver carries it out.
  absl::StatusOr<Plan> Approve(const PlanName& name, int version, const std::string& actor);
  // Of a plan that runs it drops the amendment.
  absl::StatusOr<Plan> Reject(const PlanName& name, const std::string& reason,
                              const std::string& actor);

 private:
  absl::StatusOr<Project> ActiveProject(const std::string& id);
  PlanHead NewHead(const Wish& wish, const Project& project) const;
  absl::Status FinishAmendment(const PlanHead& head, PlanContent& content, Amendment& amendment);
  // `version` 0 means that of `head`.
  absl::StatusOr<Plan> Load(PlanHead head, int version = 0);

  const Collaborators with_;
};

}  // namespace slipway::planner
