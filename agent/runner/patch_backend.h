#pragma once

#include <string>
#include <vector>

#include "agent/domain/result.h"
#include "agent/domain/work_file.h"
#include "agent/runner/git_tree.h"
#include "agent/runner/model_client.h"
#include "agent/runner/reporter.h"

namespace slipway::agent {

// Has a model write the change as one edit: prompt, reply, strict reading, and the exact error back
// to the model for a bounded number of rounds. Not thread-safe.
class PatchBackend final {
 public:
  PatchBackend(const WorkFile& work, GitTree& tree, ModelClient& models, Reporter& reporter)
      : work_(work), tree_(tree), models_(models), reporter_(reporter) {}

  Result Run();

 private:
  Result Answer(const std::vector<patch::TreeChange>& changes);

  const WorkFile& work_;
  GitTree& tree_;
  ModelClient& models_;
  Reporter& reporter_;
};

}  // namespace slipway::agent
