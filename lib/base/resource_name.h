#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::base {

// Splits a resource name by its pattern, in which "*" stands for one id: the ids in order.
//   MatchName("projects/*/plans/*", "projects/a/plans/b") -> {"a", "b"}
// Fails with INVALID_ARGUMENT (NAME_INVALID), which says the pattern, when it does not fit or an
// id is not valid.
absl::StatusOr<std::vector<std::string>> MatchName(absl::string_view pattern,
                                                   absl::string_view name);

// An id of a resource: 1 to 63 of [a-z0-9-], first and last a letter or digit.
bool IsValidId(absl::string_view id);

// An id made from free text: lower case, runs of other characters become one "-", at most
// `size_max` characters; "x" when nothing is left.
std::string Slug(absl::string_view text, size_t size_max = 40);

}  // namespace slipway::base
