#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace slipway::patch {

// A file or symlink as a tree holds it.
struct FileState {
  uint32_t mode = 0;  // kRegular, kExecutable or kSymlink.
  std::string oid;    // The git id of `content`, 40 hexadecimal digits.
  std::string content;
};

// What stands at a path afterwards; absent when it is deleted.
struct TreeChange {
  std::string path;
  std::optional<FileState> after;
};

}  // namespace slipway::patch
