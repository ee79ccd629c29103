#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"

namespace slipway::git {

// Merging by path is blind to renames. In nearly all cases it then conflicts where git would not;
// in two it would be clean where git stops: a file removed by both sides that one of them renamed,
// and a file added to a directory that the other side renamed. Returns the path of such a case,
// absent when there is none. Leans towards finding one: 45 % similarity counts (git: 50 %), as
// does a change too large to examine.
absl::StatusOr<std::optional<std::string>> FindRenameConflict(const ObjectSource& source,
                                                              const Oid& base, const Oid& ours,
                                                              const Oid& theirs);

}  // namespace slipway::git
