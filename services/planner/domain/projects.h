#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "services/planner/domain/plan_store.h"
#include "services/planner/domain/repository_client.h"

namespace slipway::planner {

// The rules of projects. Thread-safe; blocks. The collaborators must outlive it.
class Projects final {
 public:
  Projects(PlanStore& store, RepositoryClient& repository, base::Clock& clock)
      : store_(store), repository_(repository), clock_(clock) {}

  // Checks what a person says and the repository, and stores the project. A repeat of `request_id`
  // returns the first project.
  absl::StatusOr<Project> Create(Project project, const std::string& request_id,
                                 const std::string& actor);

  // Stores `project` if project.version is still the stored one. The repository is looked at again
  // when it or its branch changes.
  absl::StatusOr<Project> Update(Project project, const std::string& actor);

  absl::StatusOr<Project> Get(const std::string& id) { return store_.GetProject(id); }

  // By id, after `after`.
  absl::StatusOr<std::vector<Project>> List(const std::string& after, bool archived, int limit) {
    return store_.ListProjects(after, archived, limit);
  }

 private:
  PlanStore& store_;
  RepositoryClient& repository_;
  base::Clock& clock_;
};

}  // namespace slipway::planner
