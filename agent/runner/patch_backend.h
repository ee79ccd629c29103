#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/domain/result.h"
#include "agent/domain/work_file.h"
#include "agent/runner/git_tree.h"
#include "agent/runner/model_client.h"
#include "agent/runner/reporter.h"

namespace slipway::agent {

// Has a model write the change as one edit: prompt, reply, strict reading, and the exact error back
// to the model for a bounded number of rounds. A later one of the same attempt goes on with the
// conversation of the one before, which is kept in `conversation`. Not thread-safe.
class PatchBackend final {
 public:
  PatchBackend(const WorkFile& work, GitTree& tree, ModelClient& models, Reporter& reporter,
               std::string conversation)
      : work_(work),
        tree_(tree),
        models_(models),
        reporter_(reporter),
        conversation_(std::move(conversation)) {}

  Result Run();

 private:
  absl::StatusOr<std::vector<ChatMessage>> Begin();
  Result Answer(const std::vector<patch::TreeChange>& changes, int rounds);

  const WorkFile& work_;
  GitTree& tree_;
  ModelClient& models_;
  Reporter& reporter_;
  const std::string conversation_;
};

}  // namespace slipway::agent
