#include "services/dispatcher/domain/path_holds.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace slipway::dispatcher {
namespace {

// A prediction by more paths than that is none.
constexpr size_t kFootprintMax = 100;

std::string LiteralPart(const std::string& pattern) {
  const size_t wildcard = pattern.find_first_of("*?[");
  if (wildcard == std::string::npos) return pattern;
  const size_t slash = pattern.rfind('/', wildcard);
  return slash == std::string::npos ? "" : pattern.substr(0, slash + 1);
}

}  // namespace

std::vector<std::string> FootprintOf(const std::vector<std::string>& patterns) {
  std::set<std::string> footprint;
  if (patterns.size() > kFootprintMax) return {};
  for (const std::string& pattern : patterns) {
    std::string literal = LiteralPart(pattern);
    if (!literal.empty() && literal != "/") footprint.insert(std::move(literal));
  }
  return {footprint.begin(), footprint.end()};
}

void PathHolds::Add(const std::string& holder, const std::vector<std::string>& footprint) {
  for (const std::string& path : footprint) holders_[path].insert(holder);
}

void PathHolds::Remove(const std::string& holder, const std::vector<std::string>& footprint) {
  for (const std::string& path : footprint) {
    const auto found = holders_.find(path);
    if (found == holders_.end()) continue;
    found->second.erase(holder);
    if (found->second.empty()) holders_.erase(found);
  }
}

std::optional<PathHolds::Overlap> PathHolds::At(const std::string& path) const {
  const auto found = holders_.find(path);
  if (found == holders_.end()) return std::nullopt;
  return Overlap{.holder = *found->second.begin(), .path = path};
}

std::optional<PathHolds::Overlap> PathHolds::Find(const std::vector<std::string>& footprint) const {
  if (holders_.empty()) return std::nullopt;
  for (const std::string& path : footprint) {
    for (size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      std::optional<Overlap> above = At(path.substr(0, slash + 1));
      if (above.has_value()) return Overlap{.holder = above->holder, .path = path};
    }
    const auto below = holders_.lower_bound(path);
    if (below == holders_.end()) continue;
    const bool meets =
        absl::EndsWith(path, "/") ? absl::StartsWith(below->first, path) : below->first == path;
    if (meets) return Overlap{.holder = *below->second.begin(), .path = below->first};
  }
  return std::nullopt;
}

}  // namespace slipway::dispatcher
