#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/planner/domain/plan.h"
#include "services/planner/domain/project.h"
#include "services/planner/domain/repository_context.h"

namespace slipway::planner {

struct FileList {
  std::vector<RepositoryFile> files;
  bool more = false;  // There are more than kTreeFilesMax.
};

// The repository service, as the planner needs it. Thread-safe; blocks.
class RepositoryClient {
 public:
  virtual ~RepositoryClient() = default;

  // The commit of the project's target branch. Refuses a policy that plans could not be opened
  // with.
  virtual absl::StatusOr<std::string> Check(const Project& project, bool require_clean) = 0;

  // Makes the plan's branch; idempotent. Returns the commit that it starts from.
  virtual absl::StatusOr<std::string> OpenPlan(const Project& project, const PlanHead& plan) = 0;

  // Of a project whose plan is open.
  virtual absl::StatusOr<FileList> ListFiles(const std::string& project,
                                             const std::string& commit) = 0;
  virtual absl::StatusOr<std::string> ReadFile(const std::string& project,
                                               const std::string& commit,
                                               const std::string& path) = 0;
};

}  // namespace slipway::planner
