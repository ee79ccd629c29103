#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/libgit.h"
#include "lib/git/ref_file.h"
#include "lib/git/ref_name.h"
#include "lib/git/repository.h"

namespace slipway::git {
namespace {

// The process-wide mutex of a ref. Without it most of the threads that race for one ref see its
// lock file and learn nothing. Refs share 64 of them by hash; nobody holds two.
base::Mutex& MutexOf(const std::string& repository, const std::string& ref) {
  static auto& mutexes = *new std::array<base::Mutex, 64>();
  return mutexes[std::hash<std::string>()(absl::StrCat(repository, " ", ref)) % mutexes.size()];
}

absl::Status SwapError(int code, const std::string& ref) {
  switch (code) {
    case GIT_EMODIFIED:
    case GIT_ENOTFOUND:
      return RefMoved(ref);
    case GIT_EEXISTS:
    case GIT_EDIRECTORY:  // A ref below this one.
      return RefExists(ref);
    case GIT_ELOCKED:
      return RefLocked(ref);
    default:
      return LibgitStatus(code, absl::StrCat("write ", ref));
  }
}

// Whether a part of `ref` is a ref itself; libgit2 has no code for that failure.
bool HasRefAbove(git_repository* repository, const std::string& ref) {
  for (size_t slash = ref.rfind('/'); slash != std::string::npos && slash > 0;
       slash = ref.rfind('/', slash - 1)) {
    git_oid unused;
    if (git_reference_name_to_id(&unused, repository, ref.substr(0, slash).c_str()) == 0) {
      return true;
    }
  }
  return false;
}

// Whether the ref is a plain one in a file of a bare repository: not packed, not symbolic, with a
// reflog that is there or is not wanted.
bool IsOwnFile(git_repository* repository, const std::string& ref) {
  if (git_repository_is_bare(repository) != 1) return false;
  const std::string directory = git_repository_path(repository);
  if (git_repository_commondir(repository) != directory) return false;
  const absl::StatusOr<std::string> content = base::ReadFile(absl::StrCat(directory, ref), 1'024);
  if (!content.ok() || absl::StartsWith(*content, "ref:")) return false;
  return access(absl::StrCat(directory, "logs/", ref).c_str(), F_OK) == 0 ||
         !absl::StartsWith(ref, "refs/heads/");
}

}  // namespace

absl::StatusOr<std::optional<Oid>> Repository::FindRef(absl::string_view ref) const {
  if (ref != "HEAD") RETURN_IF_ERROR(CheckRefName(ref));
  git_oid target;
  const int code = git_reference_name_to_id(&target, repository_.get(), std::string(ref).c_str());
  if (code == GIT_ENOTFOUND) return std::nullopt;
  RETURN_IF_ERROR(LibgitStatus(code, absl::StrCat("read ", ref)));
  return FromLibgit(target);
}

absl::StatusOr<Oid> Repository::ReadRef(absl::string_view ref) const {
  ASSIGN_OR_RETURN(const std::optional<Oid> found, FindRef(ref));
  if (!found.has_value()) return RefNotFound(ref);
  return *found;
}

absl::StatusOr<Oid> Repository::ReadRefCommit(absl::string_view ref) const {
  ASSIGN_OR_RETURN(const Oid target, ReadRef(ref));
  return PeelToCommit(*this, target);
}

absl::StatusOr<std::vector<Ref>> Repository::ListRefs(absl::string_view prefix,
                                                      size_t limit) const {
  git_reference_iterator* raw = nullptr;
  RETURN_IF_ERROR(LibgitStatus(git_reference_iterator_new(&raw, repository_.get()), "list refs"));
  const ReferenceIteratorPtr iterator(raw);
  std::vector<Ref> refs;
  while (true) {
    git_reference* next = nullptr;
    const int code = git_reference_next(&next, raw);
    if (code == GIT_ITEROVER) break;
    RETURN_IF_ERROR(LibgitStatus(code, "list refs"));
    const ReferencePtr reference(next);
    const absl::string_view name = git_reference_name(next);
    if (!absl::StartsWith(name, prefix) || git_reference_type(next) != GIT_REFERENCE_DIRECT) {
      continue;
    }
    if (refs.size() >= limit) return ListTooLong("list of refs", limit);
    refs.push_back({.name = std::string(name), .target = FromLibgit(*git_reference_target(next))});
  }
  std::sort(refs.begin(), refs.end(), [](const Ref& a, const Ref& b) { return a.name < b.name; });
  return refs;
}

absl::Status Repository::CompareAndSwap(absl::string_view ref, const std::optional<Oid>& expected,
                                        const Oid& target, absl::string_view reflog_message) {
  RETURN_IF_ERROR(CheckRefName(ref));
  if (!Contains(target)) return ObjectMissing(target);
  const std::string name(ref);
  const base::MutexLock lock(MutexOf(path_, name));
  // A null expected id would match a ref that does not exist, so absence is asked with force = 0.
  if (expected.has_value() && expected->IsNull()) return RefMoved(ref);
  if (expected.has_value() && IsOwnFile(repository_.get(), name)) {
    return SwapFile(name, *expected, target, reflog_message);
  }
  return SwapByLibgit(name, expected, target, reflog_message);
}

// A branch that is a file moves with two syncs, its content and its name. libgit2 takes four: it
// syncs the reflog, too.
absl::Status Repository::SwapFile(const std::string& ref, const Oid& expected, const Oid& target,
                                  absl::string_view reflog_message) {
  RefLock file;
  RETURN_IF_ERROR(file.Take(path_, ref));
  ASSIGN_OR_RETURN(const std::optional<Oid> current, FindRef(ref));
  if (current != expected) return RefMoved(ref);
  return file.Commit({.git_directory = path_,
                      .ref = ref,
                      .target = target,
                      .synced = true,
                      .reflog_line = absl::StrFormat(
                          "%s %s Slipway <slipway@localhost> %d +0000\t%s\n", expected.ToHex(),
                          target.ToHex(), absl::ToUnixSeconds(base::RealClock().Now()),
                          absl::StrReplaceAll(reflog_message, {{"\n", " "}}))});
}

absl::Status Repository::SwapByLibgit(const std::string& name, const std::optional<Oid>& expected,
                                      const Oid& target, absl::string_view reflog_message) {
  const std::string message(reflog_message);
  const git_oid to = ToLibgit(target);
  const git_oid from = ToLibgit(expected.value_or(Oid()));
  git_reference* raw = nullptr;
  const int code =
      expected.has_value()
          ? git_reference_create_matching(&raw, repository_.get(), name.c_str(), &to, 1, &from,
                                          message.c_str())
          : git_reference_create(&raw, repository_.get(), name.c_str(), &to, 0, message.c_str());
  const ReferencePtr reference(raw);
  if (code >= 0) return absl::OkStatus();
  if (!expected.has_value() && HasRefAbove(repository_.get(), name)) return RefExists(name);
  return SwapError(code, name);
}

absl::Status Repository::Pin(absl::string_view ref, const Oid& target) {
  RETURN_IF_ERROR(CheckRefName(ref));
  if (!Contains(target)) return ObjectMissing(target);
  const std::string name(ref);
  const base::MutexLock lock(MutexOf(path_, name));
  RefLock file;
  absl::Status written = file.Take(path_, name);
  if (written.ok()) {
    written = file.Commit({.git_directory = path_, .ref = name, .target = target, .synced = false});
  }
  if (absl::IsNotFound(written) || absl::IsFailedPrecondition(written)) return RefExists(name);
  return written;
}

absl::Status Repository::DeleteRef(absl::string_view ref, const Oid& expected) {
  RETURN_IF_ERROR(CheckRefName(ref));
  const std::string name(ref);
  const base::MutexLock lock(MutexOf(path_, name));
  git_reference* raw = nullptr;
  int code = git_reference_lookup(&raw, repository_.get(), name.c_str());
  if (code == GIT_ENOTFOUND) return RefNotFound(ref);
  RETURN_IF_ERROR(LibgitStatus(code, absl::StrCat("read ", ref)));
  const ReferencePtr reference(raw);
  const git_oid* const target = git_reference_target(raw);
  if (target == nullptr || FromLibgit(*target) != expected) return RefMoved(ref);
  // Compares the target again under the lock file.
  code = git_reference_delete(raw);
  return code < 0 ? SwapError(code, name) : absl::OkStatus();
}

}  // namespace slipway::git
