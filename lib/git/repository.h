#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/file.h"
#include "lib/git/commit.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"

struct git_repository;
struct git_odb;

namespace slipway::git {

struct Ref {
  std::string name;
  Oid target;
  friend bool operator==(const Ref&, const Ref&) = default;
};

// One handle on a git repository. Open one per request: opening costs about 0.2 ms and isolates
// requests from each other. Not thread-safe; handles on one path may be used by many threads.
class Repository final : public ObjectSource {
 public:
  struct InitOptions {
    std::string default_branch = "main";
  };
  struct HistoryOptions {
    size_t limit = 100;
    bool skip_merges = false;
  };

  // Makes a bare repository whose configuration runs no hook and no monitor, verifies what it
  // receives, syncs what it writes, and keeps reflogs. RepositoryExists when there is one.
  static absl::StatusOr<Repository> InitBare(const std::string& path, const InitOptions& options);

  // Opens the bare repository at exactly `path`, or fails with NotARepository.
  static absl::StatusOr<Repository> OpenBare(const std::string& path);

  // Opens the repository, bare or with a work tree, at exactly `path`: parents are not searched.
  static absl::StatusOr<Repository> Open(const std::string& path);

  // Takes the repository for this process: hold the result for as long as the process writes to
  // it. FAILED_PRECONDITION (LOCKED) while another process does.
  static absl::StatusOr<base::UniqueFd> LockOwner(const std::string& path);

  // Removes what a killed writer left behind: lock files, temporary packs, indexes without a pack.
  // Returns how many files went. `owner` proves that no other writer lives.
  static absl::StatusOr<int> SweepStale(const std::string& path, const base::UniqueFd& owner);

  Repository(Repository&&) noexcept;
  Repository& operator=(Repository&&) noexcept;
  ~Repository() override;

  // The directory with the objects, ending in "/".
  const std::string& path() const { return path_; }

  absl::StatusOr<Object> Read(const Oid& oid, size_t size_max) const override;
  bool Contains(const Oid& oid) const override;

  // The size of an object, which is not inflated. Fails with ObjectMissing or ObjectCorrupt.
  absl::StatusOr<uint64_t> SizeOf(const Oid& oid) const;

  // The object that the full ref name leads to, through symbolic refs. RefNotFound.
  absl::StatusOr<Oid> ReadRef(absl::string_view ref) const;

  // The same; absent instead of RefNotFound.
  absl::StatusOr<std::optional<Oid>> FindRef(absl::string_view ref) const;

  // The commit that the ref leads to, through annotated tags.
  absl::StatusOr<Oid> ReadRefCommit(absl::string_view ref) const;

  // Refs whose name begins with `prefix`, by name; symbolic ones are left out.
  absl::StatusOr<std::vector<Ref>> ListRefs(absl::string_view prefix, size_t limit) const;

  // Moves `ref` from `expected` (absent: it must not exist) to `target`, durably, and writes a
  // reflog line. Exactly one of the callers that race from one state wins. Fails with RefMoved (not
  // at `expected`), RefExists, RefLocked (another process is writing it), ObjectMissing.
  absl::Status CompareAndSwap(absl::string_view ref, const std::optional<Oid>& expected,
                              const Oid& target, absl::string_view reflog_message);

  // Points `ref`, wherever it is, to `target`, without syncing: to keep objects that something
  // durable knows from garbage collection. RefExists when a ref is above or below the name. Only
  // for bare repositories.
  absl::Status Pin(absl::string_view ref, const Oid& target);

  // Deletes `ref`, which must be at `expected`. Fails with RefNotFound, RefMoved, RefLocked.
  absl::Status DeleteRef(absl::string_view ref, const Oid& expected);

  // Commits from `tip` along first parents, newest first. Ends where history was cut off.
  absl::StatusOr<std::vector<Commit>> History(const Oid& tip, const HistoryOptions& options) const;

  // Whether `ancestor` is `commit` or reachable from it. Where history was cut off (a shallow
  // repository), what is before the cut is not reachable.
  absl::StatusOr<bool> IsAncestor(const Oid& ancestor, const Oid& commit) const;

  // The underlying handles, for the sources of this module.
  git_repository* handle() const { return repository_.get(); }
  git_odb* odb() const { return odb_.get(); }

 private:
  struct RepositoryDeleter {
    void operator()(git_repository* repository) const;
  };
  struct OdbDeleter {
    void operator()(git_odb* odb) const;
  };

  static absl::StatusOr<Repository> Adopt(git_repository* repository);
  template <typename Lookup>
  int LookUp(const Lookup& lookup) const;
  absl::Status SwapFile(const std::string& ref, const Oid& expected, const Oid& target,
                        absl::string_view reflog_message);
  absl::Status SwapByLibgit(const std::string& name, const std::optional<Oid>& expected,
                            const Oid& target, absl::string_view reflog_message);
  absl::StatusOr<bool> WalkToAncestor(const Oid& ancestor, const Oid& commit) const;
  Repository();

  std::unique_ptr<git_repository, RepositoryDeleter> repository_;
  std::unique_ptr<git_odb, OdbDeleter> odb_;
  std::string path_;
};

}  // namespace slipway::git
