#include "lib/base/resource_name.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"

namespace slipway::base {

absl::StatusOr<std::vector<std::string>> MatchName(absl::string_view pattern,
                                                   absl::string_view name) {
  const auto invalid = [&] {
    return Error(absl::StatusCode::kInvalidArgument, "NAME_INVALID",
                 absl::StrCat("'", name, "' is not a name of the form ", pattern,
                              ", each * an id of lower-case letters, digits and hyphens"),
                 {{"name", std::string(name)}, {"pattern", std::string(pattern)}});
  };
  const std::vector<absl::string_view> wanted = absl::StrSplit(pattern, '/');
  const std::vector<absl::string_view> given = absl::StrSplit(name, '/');
  if (wanted.size() != given.size()) return invalid();
  std::vector<std::string> ids;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "*") {
      if (!IsValidId(given[i])) return invalid();
      ids.emplace_back(given[i]);
    } else if (wanted[i] != given[i]) {
      return invalid();
    }
  }
  return ids;
}

bool IsValidId(absl::string_view id) {
  if (id.empty() || id.size() > 63 || id.front() == '-' || id.back() == '-') return false;
  for (const char c : id) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '-') return false;
  }
  return true;
}

std::string Slug(absl::string_view text, size_t size_max) {
  std::string slug;
  for (const char c : text) {
    if (absl::ascii_isalnum(c)) {
      if (slug.size() >= size_max) {
        // Cut between words where that leaves more than half.
        const size_t cut = slug.rfind('-');
        if (slug.back() != '-' && cut != std::string::npos && cut > size_max / 2) slug.resize(cut);
        break;
      }
      slug.push_back(absl::ascii_tolower(c));
    } else if (!slug.empty() && slug.back() != '-') {
      slug.push_back('-');
    }
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "x" : slug;
}

}  // namespace slipway::base
