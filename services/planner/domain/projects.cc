#include "services/planner/domain/projects.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/policy_check.h"

namespace slipway::planner {
namespace {

void FillDefaults(Project& project) {
  if (project.title.empty()) project.title = project.id;
  if (project.rigor == Rigor::kUnspecified) project.rigor = Rigor::kStandard;
}

std::vector<std::string> ChangedFields(const Project& from, const Project& to) {
  std::vector<std::string> fields;
  if (from.title != to.title) fields.push_back("title");
  if (from.repository != to.repository) fields.push_back("repository");
  if (from.target_branch != to.target_branch) fields.push_back("target_branch");
  if (from.plan_tier != to.plan_tier) fields.push_back("plan_tier");
  if (from.rigor != to.rigor) fields.push_back("rigor");
  if (!(from.policy == to.policy)) fields.push_back("policy");
  if (from.state != to.state) fields.push_back("state");
  return fields;
}

}  // namespace

absl::StatusOr<Project> Projects::Create(Project project, const std::string& request_id,
                                         const std::string& actor) {
  FillDefaults(project);
  RETURN_IF_ERROR(CheckProject(project));
  const absl::StatusOr<std::string> commit = repository_.Check(project, /*require_clean=*/false);
  if (!commit.ok()) return commit.status();
  project.state = ProjectState::kActive;
  project.version = 1;
  project.create_time = clock_.Now();
  return store_.CreateProject(project, request_id,
                              ProjectChanged(project.name(), "created", {}, actor));
}

absl::StatusOr<Project> Projects::Update(Project project, const std::string& actor) {
  FillDefaults(project);
  ASSIGN_OR_RETURN(const Project stored, store_.GetProject(project.id));
  if (project.version != stored.version) {
    return VersionMismatch(project.name(), project.version, stored.version);
  }
  RETURN_IF_ERROR(CheckProject(project));
  const bool archived = project.state == ProjectState::kArchived;
  const bool elsewhere =
      project.repository != stored.repository || project.target_branch != stored.target_branch;
  if (elsewhere || (!archived && !(project.policy == stored.policy))) {
    const absl::StatusOr<std::string> commit = repository_.Check(project, /*require_clean=*/false);
    if (!commit.ok()) return commit.status();
  }
  const bool archives = archived && stored.state != ProjectState::kArchived;
  return store_.UpdateProject(project,
                              ProjectChanged(project.name(), archives ? "archived" : "updated",
                                             ChangedFields(stored, project), actor));
}

}  // namespace slipway::planner
