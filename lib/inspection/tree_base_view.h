#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/git/object_source.h"
#include "lib/git/oid.h"
#include "lib/git/tree.h"
#include "lib/patch/base_view.h"

namespace slipway::inspection {

// A tree of a git repository as what a patch is applied to. Reads the trees on the paths that are
// asked for, once. Not thread-safe; `source` must outlive it.
class TreeBaseView final : public patch::BaseView {
 public:
  TreeBaseView(const git::ObjectSource& source, const git::Oid& tree)
      : source_(source), tree_(tree) {}

  absl::StatusOr<std::optional<Entry>> Find(absl::string_view path) override;
  absl::StatusOr<std::string> Read(absl::string_view oid) override;
  absl::StatusOr<std::vector<NamedEntry>> List(absl::string_view directory) override;

 private:
  // The entries of a directory; absent when there is none of that path.
  absl::StatusOr<const git::Tree*> Directory(const std::string& path);
  absl::StatusOr<const git::Tree*> Load(const git::Oid& oid);

  const git::ObjectSource& source_;
  const git::Oid tree_;
  std::map<git::Oid, git::Tree> trees_;
};

}  // namespace slipway::inspection
