#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace slipway::dispatcher {

// What patterns of paths can touch, as far as it is told by what is literal in them: "a/b.cc" is a
// file, "a/" everything below. A pattern that begins with a wildcard tells nothing and is left out.
std::vector<std::string> FootprintOf(const std::vector<std::string>& patterns);

// Which tasks of a plan are predicted to touch which paths. A question costs the logarithm of what
// is held, times the depth of the paths asked for. Not thread-safe.
class PathHolds final {
 public:
  struct Overlap {
    std::string holder;
    std::string path;  // Where both go.
  };

  void Add(const std::string& holder, const std::vector<std::string>& footprint);
  void Remove(const std::string& holder, const std::vector<std::string>& footprint);

  // The first holder that can touch what `footprint` can; none when nobody does.
  std::optional<Overlap> Find(const std::vector<std::string>& footprint) const;

 private:
  std::optional<Overlap> At(const std::string& path) const;

  std::map<std::string, std::set<std::string>> holders_;  // By entry of a footprint.
};

}  // namespace slipway::dispatcher
