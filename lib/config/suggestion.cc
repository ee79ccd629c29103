#include "lib/config/suggestion.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

namespace slipway::config {
namespace {

constexpr size_t kNameBytesMax = 64;  // Of a name that is worth a guess: the distance is quadratic.

// Insertions, deletions and replacements between the two.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string DidYouMean(absl::string_view name, const std::vector<std::string>& candidates) {
  if (name.size() > kNameBytesMax) return "";
  size_t best = std::max<size_t>(2, name.size() / 3) + 1;
  const std::string* closest = nullptr;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(name, candidate);
    if (distance < best) {
      best = distance;
      closest = &candidate;
    }
  }
  return closest == nullptr ? "" : absl::StrCat(" (did you mean '", *closest, "'?)");
}

}  // namespace slipway::config
