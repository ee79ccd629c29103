#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/git/oid.h"

namespace slipway::git {

// What one write of a ref is.
struct RefWrite {
  const std::string& git_directory;  // Of a bare repository; ends in "/".
  const std::string& ref;            // A checked name.
  Oid target;
  // Whether the ref is on disk when the call returns. What is not synced may be gone or cut off
  // after a failure of power, but never after a kill.
  bool synced = true;
  // Appended to the ref's reflog, where there is one; empty: nothing is.
  std::string reflog_line = {};
};

// The lock file of a ref, which git and libgit2 respect, for as long as the object lives.
class RefLock final {
 public:
  RefLock() = default;
  ~RefLock();
  RefLock(const RefLock&) = delete;
  RefLock& operator=(const RefLock&) = delete;

  // RefLocked when another process holds it; NOT_FOUND when a part of the name is a ref itself.
  absl::Status Take(const std::string& git_directory, const std::string& ref);

  // Makes the ref `write.target` and gives the lock back. FAILED_PRECONDITION when there are refs
  // below the name. After an error the ref is as it was, or as wanted but maybe not on disk.
  absl::Status Commit(const RefWrite& write);

 private:
  std::string path_;  // Empty: not taken.
  int file_ = -1;
};

}  // namespace slipway::git
