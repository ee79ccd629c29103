#include "lib/git/local_transport.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/fetch_flaws.h"
#include "lib/git/git_command.h"
#include "lib/git/ref_name.h"

namespace slipway::git {
namespace {

// A path that git takes for a path: not for an option, nor for a URL.
absl::Status CheckRepositoryPath(const std::string& path) {
  if (!absl::StartsWith(path, "/")) return NotARepository(path, "give an absolute path");
  if (path.find('\0') != std::string::npos) return NotARepository(path, "it holds a NUL");
  return Repository::Open(path).status();
}

// Git in the repository at exactly `path`, where a person's work tree may be.
absl::StatusOr<GitOutput> RunIn(const std::string& path, std::vector<std::string> arguments) {
  ASSIGN_OR_RETURN(const Repository repository, Repository::Open(path));
  return RunGitCommand({.directory = path, .arguments = std::move(arguments)});
}

absl::Status TransportError(const std::string& path, absl::string_view command,
                            const std::string& text) {
  if (absl::StrContains(text, "dubious ownership")) return RepositoryNotOwned(path);
  if (absl::StrContains(text, "does not appear to be a git repository")) {
    return NotARepository(path, "git does not recognize it");
  }
  return GitCommandFailed(command, text);
}

absl::Status PushError(const std::string& path, const Push& push, const GitOutput& output) {
  const std::string text = absl::StrCat(output.out, output.err);
  if (absl::StrContains(text, "checked out")) return BranchCheckedOut(push.ref, path);
  for (const char* moved : {"stale info", "fetch first", "incorrect old value provided",
                            "reference already exists", "but expected"}) {
    if (!absl::StrContains(text, moved)) continue;
    return push.expected_old.has_value() ? RefMoved(push.ref) : RefExists(push.ref);
  }
  if (absl::StrContains(text, "cannot lock ref") || absl::StrContains(text, "failed to update")) {
    return RefLocked(push.ref);
  }
  return TransportError(path, "push", text);
}

// What can be known before anything is sent.
absl::Status CheckPush(const Repository& mirror, const std::string& path, const Push& push) {
  ASSIGN_OR_RETURN(const Repository receiver, Repository::Open(path));
  ASSIGN_OR_RETURN(const std::optional<Oid> current, receiver.FindRef(push.ref));
  if (current != push.expected_old) {
    return push.expected_old.has_value() ? RefMoved(push.ref) : RefExists(push.ref);
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> work_tree, FindWorkTreeOf(path, push.ref));
  if (work_tree.has_value()) return BranchCheckedOut(push.ref, *work_tree);
  if (!mirror.Contains(push.target)) return ObjectMissing(push.target);
  if (!push.expected_old.has_value()) return absl::OkStatus();
  if (!mirror.Contains(*push.expected_old)) return NotFastForward(push.ref);
  ASSIGN_OR_RETURN(const bool forward, mirror.IsAncestor(*push.expected_old, push.target));
  return forward ? absl::OkStatus() : NotFastForward(push.ref);
}

}  // namespace

absl::StatusOr<std::vector<Ref>> ListLocalRefs(const std::string& path, const std::string& prefix,
                                               size_t limit) {
  RETURN_IF_ERROR(CheckRepositoryPath(path));
  ASSIGN_OR_RETURN(const Repository repository, Repository::Open(path));
  return repository.ListRefs(prefix, limit);
}

absl::StatusOr<std::optional<std::string>> HeadBranch(const std::string& path) {
  RETURN_IF_ERROR(CheckRepositoryPath(path));
  ASSIGN_OR_RETURN(const GitOutput output, RunIn(path, {"symbolic-ref", "-q", "HEAD"}));
  if (output.exit_code == 1) return std::nullopt;
  if (output.exit_code != 0) return TransportError(path, "symbolic-ref", output.err);
  return std::string(absl::StripAsciiWhitespace(output.out));
}

absl::Status FetchFromLocal(const Repository& mirror, const std::string& path,
                            const std::vector<RefToFetch>& refs) {
  RETURN_IF_ERROR(CheckRepositoryPath(path));
  ASSIGN_OR_RETURN(const Repository source, Repository::Open(path));
  std::vector<std::string> arguments;
  for (const char* flaw : kForgivenFlaws) {
    arguments.push_back("-c");
    arguments.push_back(absl::StrCat("fetch.fsck.", flaw, "=ignore"));
  }
  for (const char* argument : {"fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
                               "--no-auto-maintenance", "--no-recurse-submodules", "--atomic",
                               "--no-show-forced-updates", "--update-shallow", "--"}) {
    arguments.push_back(argument);
  }
  arguments.push_back(path);
  for (const RefToFetch& ref : refs) {
    RETURN_IF_ERROR(CheckRefName(ref.source));
    RETURN_IF_ERROR(CheckRefName(ref.target));
    ASSIGN_OR_RETURN(const std::optional<Oid> found, source.FindRef(ref.source));
    if (!found.has_value()) return BranchNotFound(path, ref.source);
    arguments.push_back(absl::StrCat("+", ref.source, ":", ref.target));
  }
  if (refs.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const GitOutput output,
                   RunGitCommand({.git_dir = mirror.path(), .arguments = std::move(arguments)}));
  if (output.exit_code == 0) return absl::OkStatus();
  return TransportError(path, "fetch", output.err);
}

absl::Status PushToLocal(const Repository& mirror, const std::string& path, const Push& push) {
  RETURN_IF_ERROR(CheckRefName(push.ref));
  RETURN_IF_ERROR(CheckRepositoryPath(path));
  RETURN_IF_ERROR(CheckPush(mirror, path, push));
  const std::string old = push.expected_old.has_value() ? push.expected_old->ToHex() : "";
  ASSIGN_OR_RETURN(
      const GitOutput output,
      RunGitCommand({.git_dir = mirror.path(),
                     .arguments = {"push", "--porcelain", "--no-verify", "--no-follow-tags",
                                   "--recurse-submodules=no",
                                   // The receiving side does not see our -c options.
                                   "--receive-pack=git -c core.hooksPath=/dev/null -c gc.auto=0 "
                                   "-c receive.autogc=false -c receive.denyCurrentBranch=refuse "
                                   "receive-pack",
                                   absl::StrCat("--force-with-lease=", push.ref, ":", old), "--",
                                   path, absl::StrCat(push.target.ToHex(), ":", push.ref)}}));
  if (output.exit_code == 0) return absl::OkStatus();
  return PushError(path, push, output);
}

absl::StatusOr<bool> IsDirty(const std::string& path) {
  RETURN_IF_ERROR(CheckRepositoryPath(path));
  ASSIGN_OR_RETURN(const GitOutput bare, RunIn(path, {"rev-parse", "--is-bare-repository"}));
  if (bare.exit_code != 0) return TransportError(path, "rev-parse", bare.err);
  if (absl::StartsWith(bare.out, "true")) return false;
  ASSIGN_OR_RETURN(const GitOutput status,
                   RunIn(path, {"status", "--porcelain=v1", "-z", "--untracked-files=normal",
                                "--ignore-submodules=none"}));
  if (status.exit_code != 0) return TransportError(path, "status", status.err);
  return !status.out.empty();
}

absl::Status CheckClean(const std::string& path) {
  ASSIGN_OR_RETURN(const bool dirty, IsDirty(path));
  return dirty ? WorkTreeDirty(path) : absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> FindWorkTreeOf(const std::string& path,
                                                          const std::string& ref) {
  RETURN_IF_ERROR(CheckRepositoryPath(path));
  ASSIGN_OR_RETURN(const GitOutput output, RunIn(path, {"worktree", "list", "--porcelain", "-z"}));
  if (output.exit_code != 0) return TransportError(path, "worktree", output.err);
  std::string work_tree;
  for (absl::string_view line : absl::StrSplit(output.out, '\0')) {
    if (absl::ConsumePrefix(&line, "worktree ")) work_tree = std::string(line);
    if (absl::ConsumePrefix(&line, "branch ") && line == ref) return work_tree;
  }
  return std::nullopt;
}

}  // namespace slipway::git
