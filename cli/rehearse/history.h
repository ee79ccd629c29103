#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway::cli {

// A commit that happened.
struct HistoricCommit {
  std::string commit;   // 40 hexadecimal digits, as the two below.
  std::string parent;   // Its first, and only, parent.
  std::string tree;     // What replaying it must give.
  std::string subject;  // UTF-8, at most 200 bytes; may be empty.
};

// Consecutive commits: the parent of each is the one before it. Half-open indices.
struct Stretch {
  size_t begin = 0;
  size_t end = 0;
  friend bool operator==(const Stretch&, const Stretch&) = default;
};

// A local repository whose history is read. It is never written to: everything happens in a bare
// repository of our own that borrows its objects, so both must stay where they are meanwhile.
class History final {
 public:
  // The branch of our own repository.
  static constexpr char kBranch[] = "history";

  struct Source {
    std::string repository;    // A work tree or a bare repository.
    std::string branch;        // Empty: what is checked out there.
    bool allow_dirty = false;  // Changes that are not committed take no part in any case.
  };

  // Makes our repository at `path`, which must not exist. Fails with NOT_A_REPOSITORY,
  // REPOSITORY_EMPTY, BRANCH_MISSING, REPOSITORY_DIRTY, REPOSITORY_SHALLOW (history is cut off) or
  // COMMAND_FAILED.
  static absl::StatusOr<History> Borrow(const Source& source, std::string path);

  const std::string& path() const { return path_; }

  // The newest commits along first parents that are no merges and have a parent, oldest first: at
  // most `count`, fewer when history has no more.
  absl::StatusOr<std::vector<HistoricCommit>> Newest(size_t count) const;

  // What the commit changed, as git prints it: exact to the byte. OUT_OF_RANGE (PATCH_TOO_LARGE)
  // beyond `bytes_max`; empty for a commit that changes nothing.
  absl::StatusOr<std::string> DiffOf(const HistoricCommit& commit, size_t bytes_max) const;

 private:
  explicit History(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

// Cuts commits into stretches of at most `length_max`, and wherever two neighbours are not parent
// and child because a merge lies between them.
std::vector<Stretch> Stretches(const std::vector<HistoricCommit>& commits, size_t length_max);

}  // namespace slipway::cli
