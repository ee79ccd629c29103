#pragma once

#include <string>

#include "absl/status/status.h"
#include "lib/git/oid.h"
#include "lib/git/repository.h"

namespace slipway::git {

// Gives a new mirror the objects of the repository at `path`, with all of its history, by copying
// its packs and loose objects: the time of the disk, where a fetch resolves and hashes every object
// that ever was. Copies share nothing with the originals and are on disk when this returns. Packs
// are compared with their checksums; the commit `tip` with its trees and blobs is checked as a
// fetch checks it, by id and by git's fsck; older objects are checked whenever they are read. A
// fetch of `tip` then finds everything in place. Any failure leaves the mirror as it was:
// FAILED_PRECONDITION for a repository that does not hold all of its objects itself or has too many
// loose ones, else as the disk, PackInvalid or GitCommandFailed say.
absl::Status SeedFromLocal(const Repository& mirror, const std::string& path, const Oid& tip);

}  // namespace slipway::git
