#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace slipway::policy {

// What patches of a project may do. Zero limits mean the defaults in limits.h.
struct PathPolicy {
  std::vector<std::string> allowed;
  std::vector<std::string> forbidden;
  std::vector<std::string> unprotected;
  bool allow_binary = false;
  bool allow_symlinks = false;
  bool allow_mode_changes = false;
  bool trusted_content = false;
  int files_max = 0;
  int added_lines_max = 0;
  int64_t bytes_max = 0;
  bool allow_windows_names = false;
  bool allow_renames = false;
  std::vector<std::string> binary_paths;  // Where allow_binary holds; empty: everywhere.
  int64_t binary_bytes_max = 0;
  friend bool operator==(const PathPolicy&, const PathPolicy&) = default;
};

}  // namespace slipway::policy
