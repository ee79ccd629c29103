#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/git/oid.h"

// Every named error of this module, a function each. The reason is the name in UPPER_SNAKE.
namespace slipway::git {

absl::Status OidInvalid(absl::string_view text);                             // INVALID_ARGUMENT
absl::Status ObjectMissing(const Oid& oid);                                  // NOT_FOUND
absl::Status ObjectCorrupt(const Oid& oid, absl::string_view what);          // DATA_LOSS
absl::Status ObjectTooLarge(const Oid& oid, size_t size, size_t size_max);   // OUT_OF_RANGE
absl::Status ObjectTypeWrong(const Oid& oid, absl::string_view expected);    // INVALID_ARGUMENT
absl::Status ListTooLong(absl::string_view what, size_t limit);              // OUT_OF_RANGE
absl::Status OverlayFull(size_t size_max);                                   // RESOURCE_EXHAUSTED
absl::Status PathInvalid(absl::string_view path, absl::string_view why);     // INVALID_ARGUMENT
absl::Status PathMissing(absl::string_view path);                            // NOT_FOUND
absl::Status PathConflict(absl::string_view path, absl::string_view why);    // FAILED_PRECONDITION
absl::Status ModeInvalid(absl::string_view path, uint32_t mode);             // INVALID_ARGUMENT
absl::Status SignatureInvalid(absl::string_view why);                        // INVALID_ARGUMENT
absl::Status MessageInvalid(absl::string_view why);                          // INVALID_ARGUMENT
absl::Status RefNameInvalid(absl::string_view ref, absl::string_view why);   // INVALID_ARGUMENT
absl::Status RefNotFound(absl::string_view ref);                             // NOT_FOUND
absl::Status RefMoved(absl::string_view ref);                                // ABORTED
absl::Status RefLocked(absl::string_view ref);                               // UNAVAILABLE
absl::Status RefExists(absl::string_view ref);                               // ALREADY_EXISTS
absl::Status NotARepository(absl::string_view path, absl::string_view why);  // FAILED_PRECONDITION
absl::Status RepositoryNotOwned(absl::string_view path);                     // PERMISSION_DENIED
absl::Status RepositoryExists(absl::string_view path);                       // ALREADY_EXISTS
absl::Status BranchNotFound(absl::string_view path, absl::string_view ref);  // NOT_FOUND
absl::Status BranchCheckedOut(absl::string_view ref,
                              absl::string_view where);                       // FAILED_PRECONDITION
absl::Status WorkTreeDirty(absl::string_view path);                           // FAILED_PRECONDITION
absl::Status NotFastForward(absl::string_view ref);                           // FAILED_PRECONDITION
absl::Status PackInvalid(absl::string_view why);                              // DATA_LOSS
absl::Status RemoteUrlInvalid(absl::string_view url, absl::string_view why);  // INVALID_ARGUMENT
absl::Status RemoteUnreachable(absl::string_view url, absl::string_view why);  // UNAVAILABLE
absl::Status RemoteAuthRefused(absl::string_view url,
                               absl::string_view why);  // PERMISSION_DENIED
absl::Status RemoteHostUnknown(absl::string_view url,
                               absl::string_view why);                  // FAILED_PRECONDITION
absl::Status RemoteTooLarge(absl::string_view url, int64_t bytes_max);  // RESOURCE_EXHAUSTED
absl::Status RemoteRefused(absl::string_view url, absl::string_view ref,
                           absl::string_view why);  // FAILED_PRECONDITION
absl::Status GitCommandFailed(absl::string_view command, absl::string_view output);  // INTERNAL

}  // namespace slipway::git
