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

constexpr char kWorkFile[] = "/run/slipway/work.json";
constexpr char kModelSocket[] = "/run/slipway/models.sock";
constexpr char kModelKeyVariable[] = "SLIPWAY_MODEL_KEY";
constexpr char kWorkspace[] = "/workspace";
// Beside git's own files: on the disk of the workspace, outside of the work tree, and there for the
// next runner of the attempt.
constexpr char kScratch[] = "/workspace/.git/slipway";
constexpr char kConversation[] = "/workspace/.git/slipway/conversation.json";

std::string TakeModelKey() {
  const char* const value = std::getenv(kModelKeyVariable);
  std::string key = value == nullptr ? "" : value;
  unsetenv(kModelKeyVariable);  // Not for the programs that this one starts.
  return key;
}

}  // namespace

absl::Status RunInside() {
  ASSIGN_OR_RETURN(const std::string text, base::ReadFile(kWorkFile));
  ASSIGN_OR_RETURN(const WorkFile work, DecodeWorkFile(text));
  Reporter reporter(STDOUT_FILENO);
  absl::StatusOr<GitTree> tree = GitTree::Open(kWorkspace, work.commit, kScratch);
  if (!tree.ok()) {
    reporter.Finish(Failure{.failure_class = FailureClass::kInfrastructure,
                            .reason = base::ReasonOf(tree.status()),
                            .detail = std::string(tree.status().message())});
    return absl::OkStatus();
  }
  ModelClient models({.socket = kModelSocket, .key = TakeModelKey(), .role = work.order.role},
                     base::RealClock(), reporter);
  reporter.Finish(PatchBackend(work, *tree, models, reporter, kConversation).Run());
  return absl::OkStatus();
}

}  // namespace slipway::agent
