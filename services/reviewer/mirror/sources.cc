#include "services/reviewer/mirror/sources.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/git/local_seed.h"
#include "lib/git/local_transport.h"
#include "lib/git/ref_name.h"
#include "lib/log/log.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/names.h"

namespace slipway::reviewer {
namespace {

constexpr size_t kLocationBytesMax = 4'096;  // PATH_MAX.
constexpr size_t kBranchesMax = 100'000;

bool IsRemote(const std::string& location) {
  return absl::StrContains(location, "://") ||
         (!absl::StartsWith(location, "/") && absl::StrContains(location, ":"));
}

// The git library's error as one of ours.
absl::Status Named(const absl::Status& status, const std::string& location,
                   const std::string& branch) {
  const std::string reason = base::ReasonOf(status);
  if (reason == "NOT_A_REPOSITORY" || reason == "REPOSITORY_NOT_OWNED") {
    return NotARepository(location, status.message());
  }
  if (reason == "BRANCH_NOT_FOUND" || reason == "REF_NOT_FOUND") {
    return BranchMissing(location, branch);
  }
  if (reason == "GIT_COMMAND_FAILED" || status.code() == absl::StatusCode::kDeadlineExceeded) {
    return RepositoryUnreachable(location, status.message());
  }
  return status;
}

absl::Status CheckBranch(const std::string& branch) {
  const absl::Status status = git::CheckRefName(BranchRef(branch));
  return status.ok() ? status : BranchInvalid(branch, status.message());
}

bool IsBelow(const std::filesystem::path& path, const std::filesystem::path& root) {
  auto part = path.begin();
  for (const std::filesystem::path& expected : root) {
    if (expected.empty()) continue;  // A trailing slash.
    if (part == path.end() || *part != expected) return false;
    ++part;
  }
  return true;
}

}  // namespace

absl::Status Sources::CheckLocation(const std::string& location) const {
  if (location.empty()) return LocationInvalid(location, "it is empty");
  if (location.size() > kLocationBytesMax) return LocationInvalid("", "it is too long");
  if (IsRemote(location)) {
    return RepositoryUnreachable(
        location, "only repositories on this machine are served; clone it and give the path");
  }
  if (location.front() != '/') return LocationInvalid(location, "give an absolute path");
  if (location.find('\0') != std::string::npos) return LocationInvalid("", "it holds a NUL");
  if (roots_.empty()) return absl::OkStatus();
  std::error_code error;
  const std::filesystem::path path = std::filesystem::weakly_canonical(location, error);
  for (const std::string& root : roots_) {
    std::error_code unused;
    const std::filesystem::path canonical = std::filesystem::weakly_canonical(root, unused);
    if (!error && !unused && IsBelow(path, canonical)) return absl::OkStatus();
  }
  return LocationInvalid(location, "it lies outside of the directories that are served");
}

absl::StatusOr<SourceState> Sources::Look(const std::string& location,
                                          const std::string& branch) const {
  RETURN_IF_ERROR(CheckBranch(branch));
  ASSIGN_OR_RETURN(const std::optional<git::Oid> commit, FindBranch(location, branch));
  if (!commit.has_value()) {
    const absl::StatusOr<std::vector<git::Ref>> refs =
        git::ListLocalRefs(location, "refs/heads/", kBranchesMax);
    if (refs.ok() && refs->empty()) return RepositoryEmpty(location);
    return BranchMissing(location, branch);
  }
  SourceState state{.commit = *commit};
  const absl::StatusOr<bool> dirty = git::IsDirty(location);
  if (!dirty.ok()) return Named(dirty.status(), location, branch);
  state.dirty = *dirty;
  ASSIGN_OR_RETURN(const std::optional<std::string> work_tree, FindWorkTree(location, branch));
  state.checked_out = work_tree.has_value();
  return state;
}

absl::StatusOr<git::Oid> Sources::Fetch(const git::Repository& mirror, const std::string& location,
                                        const std::string& branch) const {
  RETURN_IF_ERROR(CheckLocation(location));
  RETURN_IF_ERROR(CheckBranch(branch));
  RETURN_IF_ERROR(SeedIfNew(mirror, location, branch));
  const absl::Status fetched = git::FetchFromLocal(
      mirror, location, {{.source = BranchRef(branch), .target = SourceRef(branch)}});
  if (!fetched.ok()) return Named(fetched, location, branch);
  return mirror.ReadRefCommit(SourceRef(branch));
}

absl::Status Sources::SeedIfNew(const git::Repository& mirror, const std::string& location,
                                const std::string& branch) const {
  const absl::StatusOr<std::vector<git::Ref>> refs = mirror.ListRefs("refs/", 1);
  if (!refs.ok() || !refs->empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<git::Oid> tip, FindBranch(location, branch));
  if (!tip.has_value()) return absl::OkStatus();  // The fetch says so.
  const absl::Status seeded = git::SeedFromLocal(mirror, location, *tip);
  // Whatever is wrong, the fetch finds it, or gets over it.
  if (!seeded.ok()) log::Info("a new mirror is fetched whole", {{"cause", seeded.message()}});
  return absl::OkStatus();
}

absl::StatusOr<std::optional<git::Oid>> Sources::FindBranch(const std::string& location,
                                                            const std::string& branch) const {
  RETURN_IF_ERROR(CheckLocation(location));
  const absl::StatusOr<git::Repository> repository = git::Repository::Open(location);
  if (!repository.ok()) return Named(repository.status(), location, branch);
  return repository->FindRef(BranchRef(branch));
}

absl::StatusOr<std::optional<std::string>> Sources::FindWorkTree(const std::string& location,
                                                                 const std::string& branch) const {
  RETURN_IF_ERROR(CheckLocation(location));
  absl::StatusOr<std::optional<std::string>> work_tree =
      git::FindWorkTreeOf(location, BranchRef(branch));
  if (!work_tree.ok()) return Named(work_tree.status(), location, branch);
  return work_tree;
}

absl::Status Sources::PushBranch(const git::Repository& mirror, const std::string& location,
                                 const std::string& branch, const git::Oid& commit) const {
  ASSIGN_OR_RETURN(const std::optional<git::Oid> current, FindBranch(location, branch));
  if (current == commit) return absl::OkStatus();
  const absl::Status pushed = git::PushToLocal(
      mirror, location, {.ref = BranchRef(branch), .expected_old = current, .target = commit});
  const std::string reason = base::ReasonOf(pushed);
  if (reason == "NOT_FAST_FORWARD" || reason == "REF_EXISTS" || reason == "REF_MOVED" ||
      reason == "BRANCH_CHECKED_OUT") {
    return BranchTaken(location, branch);
  }
  return pushed.ok() ? pushed : Named(pushed, location, branch);
}

absl::Status Sources::MoveBranch(const git::Repository& mirror, const std::string& location,
                                 const std::string& branch, const git::Oid& expected,
                                 const git::Oid& commit) const {
  RETURN_IF_ERROR(CheckLocation(location));
  const absl::Status pushed = git::PushToLocal(
      mirror, location, {.ref = BranchRef(branch), .expected_old = expected, .target = commit});
  const std::string reason = base::ReasonOf(pushed);
  if (reason == "REF_MOVED" || reason == "NOT_FAST_FORWARD" || reason == "BRANCH_CHECKED_OUT") {
    return BranchMoved(branch);
  }
  return pushed.ok() ? pushed : Named(pushed, location, branch);
}

}  // namespace slipway::reviewer
