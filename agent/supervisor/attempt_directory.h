#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "lib/base/file.h"
#include "lib/base/id_generator.h"

namespace slipway::agent {

// The files of one attempt: a fresh directory that is removed with this object. While it exists a
// lock says that its agent lives.
class AttemptDirectory final {
 public:
  // Makes one below `parent`, which is made when it is missing.
  static absl::StatusOr<AttemptDirectory> Create(const std::string& parent, base::IdGenerator& ids);

  AttemptDirectory(AttemptDirectory&&) noexcept = default;
  AttemptDirectory& operator=(AttemptDirectory&&) = delete;
  ~AttemptDirectory();

  // Bound into the sandbox, writable.
  std::string workspace() const { return path_ + "/tree"; }
  // Bound into the sandbox, read-only.
  std::string run() const { return path_ + "/run"; }
  // The snapshot as it arrived; not bound.
  std::string pack() const { return path_ + "/snapshot.pack"; }
  std::string pack_index() const { return pack() + ".index"; }

  // Another set of the same, below this one and removed with it. Replaces an earlier one of `name`.
  absl::StatusOr<AttemptDirectory> Nested(absl::string_view name) const;

  // Removes the workspace, so that a new one can be made. No sandbox may be using it.
  absl::Status ClearWorkspace();

 private:
  AttemptDirectory(std::string path, base::UniqueFd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  base::UniqueFd lock_;
};

}  // namespace slipway::agent
