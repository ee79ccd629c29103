#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "lib/patch/base_view.h"

namespace slipway::agent {

// A tree whose files are all known; contents come from who derives from it. Not thread-safe.
class FileMapView : public patch::BaseView {
 public:
  // Files, symlinks and submodules by path.
  const std::map<std::string, Entry>& files() const { return files_; }

  absl::StatusOr<std::optional<Entry>> Find(absl::string_view path) final;
  absl::StatusOr<std::vector<NamedEntry>> List(absl::string_view directory) final;

 protected:
  std::map<std::string, Entry> files_;
};

}  // namespace slipway::agent
