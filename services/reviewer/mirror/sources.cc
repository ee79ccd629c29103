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

// The git library's error as one of ours.
absl::Status Named(const absl::Status& status, const std::string& location,
                   const std::string& branch) {
  const std::string reason = base::ReasonOf(status);
  if (reason == "NOT_A_REPOSITORY" || reason == "REPOSITORY_NOT_OWNED") {
    return NotARepository(location, status.message());
  }
  if (reason == "REMOTE_URL_INVALID") return LocationInvalid(location, status.message());
  if (reason == "REMOTE_UNREACHABLE") return RepositoryUnreachable(location, status.message());
  if (reason == "REMOTE_AUTH_REFUSED") return RepositoryAuthRefused(location, status.message());
  if (reason == "REMOTE_HOST_UNKNOWN") return RepositoryHostUnknown(location, status.message());
  if (reason == "REMOTE_TOO_LARGE") return RepositoryTooLarge(location, status.message());
  if (reason == "REMOTE_REFUSED") return PushRefused(location, branch, status.message());
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

bool Sources::IsRemote(const std::string& location) {
  return absl::StrContains(location, "://") ||
         (!absl::StartsWith(location, "/") && absl::StrContains(location, ":"));
}

absl::StatusOr<Sources::Remote> Sources::RemoteOf(const std::string& location) const {
  const absl::StatusOr<git::RemoteUrl> url = git::ParseRemoteUrl(location);
  if (!url.ok()) return Named(url.status(), "", "");
  const auto host = hosts_.find(url->host);
  if (host == hosts_.end()) {
    return RepositoryUnreachable(location,
                                 absl::StrCat(url->host,
                                              " is not among the remotes of the reviewer's "
                                              "configuration: add it, or clone the repository and "
                                              "give its path"));
  }
  return Remote{.url = *url, .access = host->second};
}

absl::StatusOr<std::vector<git::Ref>> Sources::ListRefs(const std::string& location,
                                                        const std::string& prefix) const {
  if (!IsRemote(location)) return git::ListLocalRefs(location, prefix, kBranchesMax);
  ASSIGN_OR_RETURN(const Remote remote, RemoteOf(location));
  return git::ListRemoteRefs(remote.url, remote.access, prefix, kBranchesMax);
}

absl::Status Sources::Push(const git::Repository& mirror, const std::string& location,
                           const git::Push& push) const {
  if (!IsRemote(location)) return git::PushToLocal(mirror, location, push);
  ASSIGN_OR_RETURN(const Remote remote, RemoteOf(location));
  return git::PushToRemote(mirror, remote.url, remote.access, push);
}

absl::Status Sources::CheckLocation(const std::string& location) const {
  if (location.empty()) return LocationInvalid(location, "it is empty");
  if (location.size() > kLocationBytesMax) return LocationInvalid("", "it is too long");
  if (IsRemote(location)) return RemoteOf(location).status();
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
    const absl::StatusOr<std::vector<git::Ref>> refs = ListRefs(location, "refs/heads/");
    if (refs.ok() && refs->empty()) return RepositoryEmpty(location);
    return BranchMissing(location, branch);
  }
  SourceState state{.commit = *commit};
  if (IsRemote(location)) return state;
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
  const std::vector<git::RefToFetch> refs = {
      {.source = BranchRef(branch), .target = SourceRef(branch)}};
  if (IsRemote(location)) {
    ASSIGN_OR_RETURN(const Remote remote, RemoteOf(location));
    const absl::Status fetched = git::FetchFromRemote(mirror, remote.url, remote.access, refs);
    if (!fetched.ok()) return Named(fetched, location, branch);
    return mirror.ReadRefCommit(SourceRef(branch));
  }
  RETURN_IF_ERROR(SeedIfNew(mirror, location, branch));
  const absl::Status fetched = git::FetchFromLocal(mirror, location, refs);
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
  if (IsRemote(location)) {
    const std::string ref = BranchRef(branch);
    const absl::StatusOr<std::vector<git::Ref>> refs = ListRefs(location, ref);
    if (!refs.ok()) return Named(refs.status(), location, branch);
    for (const git::Ref& each : *refs) {
      if (each.name == ref) return std::optional<git::Oid>(each.target);
    }
    return std::optional<git::Oid>();
  }
  const absl::StatusOr<git::Repository> repository = git::Repository::Open(location);
  if (!repository.ok()) return Named(repository.status(), location, branch);
  return repository->FindRef(BranchRef(branch));
}

absl::StatusOr<std::optional<std::string>> Sources::FindWorkTree(const std::string& location,
                                                                 const std::string& branch) const {
  RETURN_IF_ERROR(CheckLocation(location));
  if (IsRemote(location)) return std::optional<std::string>();
  absl::StatusOr<std::optional<std::string>> work_tree =
      git::FindWorkTreeOf(location, BranchRef(branch));
  if (!work_tree.ok()) return Named(work_tree.status(), location, branch);
  return work_tree;
}

absl::Status Sources::PushBranch(const git::Repository& mirror, const std::string& location,
                                 const std::string& branch, const git::Oid& commit) const {
  ASSIGN_OR_RETURN(const std::optional<git::Oid> current, FindBranch(location, branch));
  if (current == commit) return absl::OkStatus();
  const absl::Status pushed =
      Push(mirror, location, {.ref = BranchRef(branch), .expected_old = current, .target = commit});
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
  const absl::Status pushed = Push(
      mirror, location, {.ref = BranchRef(branch), .expected_old = expected, .target = commit});
  const std::string reason = base::ReasonOf(pushed);
  if (reason == "REF_MOVED" || reason == "NOT_FAST_FORWARD" || reason == "BRANCH_CHECKED_OUT") {
    return BranchMoved(branch);
  }
  return pushed.ok() ? pushed : Named(pushed, location, branch);
}

}  // namespace slipway::reviewer
