#include "agent/runner/run.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "agent/domain/work_file.h"
#include "agent/runner/git_tree.h"
#include "agent/runner/model_client.h"
#include "agent/runner/patch_backend.h"
#include "agent/runner/reporter.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

namespace slipway::agent {
namespace {

constexpr char kModelKeyVariable[] = "SLIPWAY_MODEL_KEY";

// Where a container is the sandbox nothing is bound to the usual places.
std::string Place(const char* variable, const char* otherwise) {
  const char* const value = std::getenv(variable);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

std::string TakeModelKey() {
  const char* const value = std::getenv(kModelKeyVariable);
  std::string key = value == nullptr ? "" : value;
  unsetenv(kModelKeyVariable);  // Not for the programs that this one starts.
  return key;
}

}  // namespace

absl::Status RunInside() {
  const std::string run = Place("SLIPWAY_RUN_DIRECTORY", "/run/slipway");
  const std::string workspace = Place("SLIPWAY_WORKSPACE", "/workspace");
  // Beside git's own files: on the disk of the workspace, outside of the work tree, and there for
  // the next runner of the attempt.
  const std::string scratch = workspace + "/.git/slipway";
  ASSIGN_OR_RETURN(const std::string text, base::ReadFile(run + "/work.json"));
  ASSIGN_OR_RETURN(const WorkFile work, DecodeWorkFile(text));
  Reporter reporter(STDOUT_FILENO);
  absl::StatusOr<GitTree> tree = GitTree::Open(workspace, work.commit, scratch);
  if (!tree.ok()) {
    reporter.Finish(Failure{.failure_class = FailureClass::kInfrastructure,
                            .reason = base::ReasonOf(tree.status()),
                            .detail = std::string(tree.status().message())});
    return absl::OkStatus();
  }
  ModelClient models(
      {.socket = run + "/models.sock", .key = TakeModelKey(), .role = work.order.role},
      base::RealClock(), reporter);
  reporter.Finish(
      PatchBackend(work, *tree, models, reporter, scratch + "/conversation.json").Run());
  return absl::OkStatus();
}

}  // namespace slipway::agent
