#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::base {

// Owns a file descriptor.
class UniqueFd final {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { Close(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Close();

 private:
  int fd_ = -1;
};

// The status of a failed system call: NOT_FOUND, PERMISSION_DENIED, ALREADY_EXISTS,
// RESOURCE_EXHAUSTED (disk full) or INTERNAL, with `what` and the system's text in the message.
absl::Status ErrnoStatus(int error_number, absl::string_view what);

// The whole file; OUT_OF_RANGE when it is larger than `size_max` bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t size_max = 64u << 20);

// Replaces the file as one step: written beside it, fsynced, renamed, directory fsynced.
absl::Status WriteFileAtomic(const std::string& path, absl::string_view content,
                             mode_t mode = 0600);

// Makes the new file `to` with the content of `from`; where the file system can, the two share
// their blocks until one is written to. ALREADY_EXISTS when `to` is there. What a failure left at
// `to` is the caller's to remove.
absl::Status CopyFile(const std::string& from, const std::string& to, mode_t mode = 0600);

// Returns when the file, or the names in the directory, are on disk.
absl::Status Sync(const std::string& path);

// Makes `path` and its missing parents.
absl::Status MakeDirectories(const std::string& path, mode_t mode = 0700);

// Removes `path` and everything below it without following symbolic links; OK when it is missing.
absl::Status RemoveTree(const std::string& path);

// An exclusive lock on `path` that lives as long as the descriptor and dies with the process.
// FAILED_PRECONDITION (LOCKED) when another process holds it.
absl::StatusOr<UniqueFd> LockFile(const std::string& path);

}  // namespace slipway::base
