#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/domain/file_map_view.h"
#include "lib/patch/tree_change.h"

namespace slipway::agent {

// A commit's tree in the repository of a workspace, read and written through the git program: what
// counts are git's objects, not the files of the work tree, which attributes and ignore rules of
// the repository may bend. Runs inside the sandbox. Not thread-safe.
class GitTree final : public FileMapView {
 public:
  // `scratch` is a directory for temporary files, made when it is missing. GitFailed.
  static absl::StatusOr<GitTree> Open(std::string workspace, const std::string& commit,
                                      std::string scratch);

  // The size of the file at `path`, which is one of files(); 0 for a submodule.
  size_t SizeOf(const std::string& path) const { return sizes_.at(path); }

  absl::StatusOr<std::string> Read(absl::string_view oid) override;

  // The tree that `changes` make of the commit's.
  absl::StatusOr<std::string> WriteTree(const std::vector<patch::TreeChange>& changes);
  // The difference between the commit and `tree`, as git writes it. PatchTooLarge.
  absl::StatusOr<std::string> Diff(const std::string& tree);

 private:
  // Four million paths do not fit; no repository that is checked out has them.
  static constexpr size_t kOutputBytesMax = 256u << 20;

  GitTree(std::string workspace, std::string commit, std::string scratch)
      : workspace_(std::move(workspace)),
        commit_(std::move(commit)),
        scratch_(std::move(scratch)) {}

  absl::StatusOr<std::string> Git(const std::vector<std::string>& arguments, std::string input = "",
                                  size_t output_max = kOutputBytesMax);
  absl::Status Load();
  // Stores the contents, byte for byte; their ids in order.
  absl::StatusOr<std::vector<std::string>> WriteBlobs(
      const std::vector<patch::TreeChange>& changes);

  std::string workspace_;
  std::string commit_;
  std::string scratch_;
  std::map<std::string, size_t> sizes_;
};

}  // namespace slipway::agent
