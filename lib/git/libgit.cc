#include "lib/git/libgit.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace slipway::git {

void StartLibgit() {
  static const bool started = [] {
    git_libgit2_init();
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    for (const int level : {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL,
                            GIT_CONFIG_LEVEL_PROGRAMDATA}) {
      git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
    }
    return true;
  }();
  static_cast<void>(started);
}

git_oid ToLibgit(const Oid& oid) {
  git_oid raw;
  git_oid_fromraw(&raw, reinterpret_cast<const unsigned char*>(oid.bytes().data()));
  return raw;
}

Oid FromLibgit(const git_oid& oid) {
  return Oid::FromBytes({reinterpret_cast<const char*>(oid.id), Oid::kSize});
}

absl::Status LibgitStatus(int code, absl::string_view what) {
  if (code >= 0) return absl::OkStatus();
  const git_error* error = git_error_last();
  const std::string message = absl::StrCat(
      what, ": ", error != nullptr ? error->message : "unknown error", " (", code, ")");
  switch (code) {
    case GIT_ENOTFOUND:
      return absl::NotFoundError(message);
    case GIT_EEXISTS:
      return absl::AlreadyExistsError(message);
    case GIT_EINVALIDSPEC:
      return absl::InvalidArgumentError(message);
    case GIT_ELOCKED:
      return absl::UnavailableError(message);
    case GIT_EMODIFIED:
      return absl::AbortedError(message);
    default:
      return absl::InternalError(message);
  }
}

}  // namespace slipway::git
