#include "lib/git/errors.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/error.h"

namespace slipway::git {
namespace {

using absl::StatusCode;
using absl::StrCat;
using base::Error;

// What a message may repeat of a text that somebody else chose.
// The end says what went wrong; progress and greetings come before it.
std::string EndOf(absl::string_view text) {
  constexpr size_t kBytesMax = 600;
  if (text.size() > kBytesMax) text.remove_prefix(text.size() - kBytesMax);
  return absl::CHexEscape(text);
}

std::string Quote(absl::string_view text) {
  return StrCat("'", absl::CHexEscape(text.substr(0, 200)), "'");
}

}  // namespace

absl::Status OidInvalid(absl::string_view text) {
  return Error(StatusCode::kInvalidArgument, "OID_INVALID",
               StrCat(Quote(text), " is not an object id; give 40 lower-case hexadecimal digits"));
}
absl::Status ObjectMissing(const Oid& oid) {
  return Error(StatusCode::kNotFound, "OBJECT_MISSING",
               StrCat("object ", oid.ToHex(), " is not in the repository"), {{"oid", oid.ToHex()}});
}
absl::Status ObjectCorrupt(const Oid& oid, absl::string_view what) {
  return Error(StatusCode::kDataLoss, "OBJECT_CORRUPT",
               StrCat("object ", oid.ToHex(), " cannot be read: ", what), {{"oid", oid.ToHex()}});
}
absl::Status ObjectTooLarge(const Oid& oid, size_t size, size_t size_max) {
  return Error(StatusCode::kOutOfRange, "OBJECT_TOO_LARGE",
               StrCat("object ", oid.ToHex(), " has ", size, " bytes; the limit is ", size_max),
               {{"oid", oid.ToHex()}, {"size", StrCat(size)}, {"limit", StrCat(size_max)}});
}
absl::Status ObjectTypeWrong(const Oid& oid, absl::string_view expected) {
  return Error(StatusCode::kInvalidArgument, "OBJECT_TYPE_WRONG",
               StrCat("object ", oid.ToHex(), " is not a ", expected), {{"oid", oid.ToHex()}});
}
absl::Status ListTooLong(absl::string_view what, size_t limit) {
  return Error(StatusCode::kOutOfRange, "LIST_TOO_LONG",
               StrCat(what, " has more than ", limit, " entries"), {{"limit", StrCat(limit)}});
}
absl::Status OverlayFull(size_t size_max) {
  return Error(StatusCode::kResourceExhausted, "OVERLAY_FULL",
               StrCat("new objects exceed ", size_max, " bytes; make the change smaller"),
               {{"limit", StrCat(size_max)}});
}
absl::Status PathInvalid(absl::string_view path, absl::string_view why) {
  return Error(StatusCode::kInvalidArgument, "PATH_INVALID",
               StrCat("path ", Quote(path), ": ", why));
}
absl::Status PathMissing(absl::string_view path) {
  return Error(StatusCode::kNotFound, "PATH_MISSING", StrCat("no file at ", Quote(path)));
}
absl::Status PathConflict(absl::string_view path, absl::string_view why) {
  return Error(StatusCode::kFailedPrecondition, "PATH_CONFLICT",
               StrCat("path ", Quote(path), ": ", why));
}
absl::Status ModeInvalid(absl::string_view path, uint32_t mode) {
  return Error(
      StatusCode::kInvalidArgument, "MODE_INVALID",
      absl::StrFormat("path %s: mode %o; use 100644, 100755, 120000 or 160000", Quote(path), mode));
}
absl::Status SignatureInvalid(absl::string_view why) {
  return Error(StatusCode::kInvalidArgument, "SIGNATURE_INVALID", why);
}
absl::Status MessageInvalid(absl::string_view why) {
  return Error(StatusCode::kInvalidArgument, "MESSAGE_INVALID", why);
}
absl::Status RefNameInvalid(absl::string_view ref, absl::string_view why) {
  return Error(StatusCode::kInvalidArgument, "REF_NAME_INVALID",
               StrCat("ref name ", Quote(ref), ": ", why));
}
absl::Status RefNotFound(absl::string_view ref) {
  return Error(StatusCode::kNotFound, "REF_NOT_FOUND", StrCat("no ref ", Quote(ref)),
               {{"ref", std::string(ref)}});
}
absl::Status RefMoved(absl::string_view ref) {
  return Error(StatusCode::kAborted, "REF_MOVED",
               StrCat("ref ", Quote(ref), " is not where the caller expected; read it again"),
               {{"ref", std::string(ref)}});
}
absl::Status RefLocked(absl::string_view ref) {
  return base::RetryableError(StatusCode::kUnavailable, "REF_LOCKED",
                              StrCat("ref ", Quote(ref), " is locked by another process"),
                              absl::Milliseconds(50), {{"ref", std::string(ref)}});
}
absl::Status RefExists(absl::string_view ref) {
  return Error(StatusCode::kAlreadyExists, "REF_EXISTS",
               StrCat("ref ", Quote(ref), " exists already, or one above or below it does"),
               {{"ref", std::string(ref)}});
}
absl::Status NotARepository(absl::string_view path, absl::string_view why) {
  return Error(StatusCode::kFailedPrecondition, "NOT_A_REPOSITORY",
               StrCat(Quote(path), " is not a git repository: ", why),
               {{"path", std::string(path)}});
}
absl::Status RepositoryNotOwned(absl::string_view path) {
  return Error(StatusCode::kPermissionDenied, "REPOSITORY_NOT_OWNED",
               StrCat(Quote(path), " belongs to another user; run as its owner or change it"),
               {{"path", std::string(path)}});
}
absl::Status RepositoryExists(absl::string_view path) {
  return Error(StatusCode::kAlreadyExists, "REPOSITORY_EXISTS",
               StrCat(Quote(path), " holds a repository already"), {{"path", std::string(path)}});
}
absl::Status BranchNotFound(absl::string_view path, absl::string_view ref) {
  return Error(StatusCode::kNotFound, "BRANCH_NOT_FOUND",
               StrCat("repository ", Quote(path), " has no ", Quote(ref)),
               {{"path", std::string(path)}, {"ref", std::string(ref)}});
}
absl::Status BranchCheckedOut(absl::string_view ref, absl::string_view where) {
  return Error(StatusCode::kFailedPrecondition, "BRANCH_CHECKED_OUT",
               StrCat(Quote(ref), " is checked out in ", Quote(where),
                      "; switch that work tree to another branch first"),
               {{"path", std::string(where)}, {"ref", std::string(ref)}});
}
absl::Status WorkTreeDirty(absl::string_view path) {
  return Error(StatusCode::kFailedPrecondition, "WORK_TREE_DIRTY",
               StrCat(Quote(path), " has uncommitted changes; commit or stash them first"),
               {{"path", std::string(path)}});
}
absl::Status NotFastForward(absl::string_view ref) {
  return Error(StatusCode::kFailedPrecondition, "NOT_FAST_FORWARD",
               StrCat("the new commit does not contain the old one of ", Quote(ref)),
               {{"ref", std::string(ref)}});
}
absl::Status PackInvalid(absl::string_view why) {
  return Error(StatusCode::kDataLoss, "PACK_INVALID", StrCat("the pack is not usable: ", why));
}
absl::Status RemoteUrlInvalid(absl::string_view url, absl::string_view why) {
  return Error(StatusCode::kInvalidArgument, "REMOTE_URL_INVALID",
               StrCat("\"", absl::CHexEscape(url), "\" cannot be used: ", why));
}

absl::Status RemoteUnreachable(absl::string_view url, absl::string_view why) {
  return Error(StatusCode::kUnavailable, "REMOTE_UNREACHABLE", StrCat(url, ": ", EndOf(why)));
}

absl::Status RemoteAuthRefused(absl::string_view url, absl::string_view why) {
  return Error(StatusCode::kPermissionDenied, "REMOTE_AUTH_REFUSED", StrCat(url, ": ", EndOf(why)));
}

absl::Status RemoteHostUnknown(absl::string_view url, absl::string_view why) {
  return Error(StatusCode::kFailedPrecondition, "REMOTE_HOST_UNKNOWN",
               StrCat(url, ": ", EndOf(why)));
}

absl::Status RemoteTooLarge(absl::string_view url, int64_t bytes_max) {
  return Error(StatusCode::kResourceExhausted, "REMOTE_TOO_LARGE",
               StrCat(url, " sends more than ", bytes_max, " bytes"));
}

absl::Status RemoteRefused(absl::string_view url, absl::string_view ref, absl::string_view why) {
  return Error(StatusCode::kFailedPrecondition, "REMOTE_REFUSED",
               StrCat(url, " does not let ", ref, " be pushed: ", EndOf(why)));
}

absl::Status GitCommandFailed(absl::string_view command, absl::string_view output) {
  return Error(StatusCode::kInternal, "GIT_COMMAND_FAILED",
               StrCat("git ", command, ": ", absl::CHexEscape(output.substr(0, 1'000))));
}

}  // namespace slipway::git
