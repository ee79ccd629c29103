#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::patch {

// The tree that a patch is applied to. Implementations need not be thread-safe.
class BaseView {
 public:
  struct Entry {
    uint32_t mode = 0;  // kDirectory for a directory.
    std::string oid;    // 40 hexadecimal digits.
  };
  struct NamedEntry {
    std::string name;  // One component.
    Entry entry;
  };

  virtual ~BaseView() = default;

  // The file, symlink, gitlink or directory at exactly `path`; absent when there is none, also when
  // a parent of it is not a directory. `path` has passed CheckPath or is a parent of one that has.
  virtual absl::StatusOr<std::optional<Entry>> Find(absl::string_view path) = 0;

  // The content of a blob that an entry names.
  virtual absl::StatusOr<std::string> Read(absl::string_view oid) = 0;

  // The entries of a directory in any order; "" is the root. NOT_FOUND when it is none.
  virtual absl::StatusOr<std::vector<NamedEntry>> List(absl::string_view directory) = 0;
};

}  // namespace slipway::patch
