#include "lib/git/rename_guard.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/git/tree.h"
#include "lib/git/tree_diff.h"

namespace slipway::git {
namespace {

constexpr size_t kChangesMax = 20'000;
constexpr size_t kPairsMax = 20'000;
constexpr size_t kFileSizeMax = 1u << 20;
constexpr size_t kPieceSizeMax = 64;  // As git's own measure cuts lines.

struct File {
  std::string path;
  Oid oid;
};

struct Side {
  std::vector<File> added;
  std::map<std::string, Oid> deleted;
};

// How many bytes of each distinct piece (a line, or 64 bytes of a long one) a file has.
struct Pieces {
  size_t size = 0;
  std::unordered_map<size_t, size_t> bytes;
};

Pieces CutIntoPieces(absl::string_view content) {
  Pieces pieces = {.size = content.size()};
  while (!content.empty()) {
    const absl::string_view window = content.substr(0, kPieceSizeMax);
    const size_t newline = window.find('\n');
    const absl::string_view piece =
        newline == absl::string_view::npos ? window : window.substr(0, newline + 1);
    pieces.bytes[absl::Hash<absl::string_view>()(piece)] += piece.size();
    content.remove_prefix(piece.size());
  }
  return pieces;
}

class RenameGuard final {
 public:
  explicit RenameGuard(const ObjectSource& source) : source_(source) {}

  absl::StatusOr<Side> ReadSide(const Oid& base, const Oid& tree) const {
    ASSIGN_OR_RETURN(const std::vector<ChangedPath> changes,
                     ChangedPaths(source_, base, tree, kChangesMax));
    Side side;
    for (const ChangedPath& change : changes) {
      if (change.added()) side.added.push_back({change.path, change.after->oid});
      if (change.deleted()) side.deleted.emplace(change.path, change.before->oid);
    }
    return side;
  }

  // A file that both deleted and that one of them may have renamed.
  absl::StatusOr<std::optional<std::string>> FindInBothDeleted(const Side& ours,
                                                               const Side& theirs) {
    std::vector<File> sources;
    for (const auto& [path, oid] : ours.deleted) {
      if (theirs.deleted.contains(path)) sources.push_back({path, oid});
    }
    std::set<std::pair<std::string, Oid>> added;
    for (const Side* side : {&ours, &theirs}) {
      for (const File& file : side->added) {
        // The same file added by both is no question to git either.
        if (!added.emplace(file.path, file.oid).second) added.erase({file.path, file.oid});
      }
    }
    std::vector<File> targets;
    for (const auto& [path, oid] : added) targets.push_back({path, oid});
    return FindPair(sources, targets);
  }

  // A file that `adder` put into a directory that `mover` may have renamed.
  absl::StatusOr<std::optional<std::string>> FindInMovedDirectory(const Side& adder,
                                                                  const Side& mover,
                                                                  const Oid& mover_tree) {
    std::set<std::string> moved;
    std::optional<std::string> example;
    for (const File& file : adder.added) {
      for (size_t slash = file.path.rfind('/'); slash != std::string::npos && slash > 0;
           slash = file.path.rfind('/', slash - 1)) {
        const std::string directory = file.path.substr(0, slash + 1);
        const auto below = mover.deleted.lower_bound(directory);
        if (below == mover.deleted.end() || !absl::StartsWith(below->first, directory)) continue;
        ASSIGN_OR_RETURN(const std::optional<TreeEntry> remains,
                         FindEntry(source_, mover_tree, file.path.substr(0, slash)));
        if (remains.has_value() && remains->is_tree()) continue;
        moved.insert(directory);
        example = file.path;
      }
    }
    std::vector<File> sources;
    for (const auto& [path, oid] : mover.deleted) {
      const bool inside = std::any_of(
          moved.begin(), moved.end(),
          [&](const std::string& directory) { return absl::StartsWith(path, directory); });
      if (inside) sources.push_back({path, oid});
    }
    ASSIGN_OR_RETURN(const std::optional<std::string> pair, FindPair(sources, mover.added));
    return pair.has_value() ? example : std::nullopt;
  }

 private:
  // The target that some source may have become.
  absl::StatusOr<std::optional<std::string>> FindPair(const std::vector<File>& sources,
                                                      const std::vector<File>& targets) {
    if (sources.empty() || targets.empty()) return std::nullopt;
    if (sources.size() * targets.size() > kPairsMax) return targets.front().path;
    for (const File& target : targets) {
      for (const File& source : sources) {
        ASSIGN_OR_RETURN(const bool similar, AreSimilar(source.oid, target.oid));
        if (similar) return target.path;
      }
    }
    return std::nullopt;
  }

  absl::StatusOr<bool> AreSimilar(const Oid& a, const Oid& b) {
    if (a == b) return true;
    ASSIGN_OR_RETURN(const Pieces* const from, PiecesOf(a));
    ASSIGN_OR_RETURN(const Pieces* const to, PiecesOf(b));
    if (from == nullptr || to == nullptr) return true;
    size_t common = 0;
    for (const auto& [piece, bytes] : from->bytes) {
      const auto found = to->bytes.find(piece);
      if (found != to->bytes.end()) common += std::min(bytes, found->second);
    }
    return common * 100 >= std::max(from->size, to->size) * 45 && common > 0;
  }

  // Null when the file is too large, or no blob of this repository.
  absl::StatusOr<const Pieces*> PiecesOf(const Oid& blob) {
    const auto known = pieces_.find(blob);
    if (known != pieces_.end()) return &known->second;
    const absl::StatusOr<std::string> content = ReadBlob(source_, blob, kFileSizeMax);
    const std::string reason = base::ReasonOf(content.status());
    if (reason == "OBJECT_TOO_LARGE" || reason == "OBJECT_MISSING") return nullptr;
    RETURN_IF_ERROR(content.status());
    return &pieces_.emplace(blob, CutIntoPieces(*content)).first->second;
  }

  const ObjectSource& source_;
  std::unordered_map<Oid, Pieces, absl::Hash<Oid>> pieces_;
};

}  // namespace

absl::StatusOr<std::optional<std::string>> FindRenameConflict(const ObjectSource& source,
                                                              const Oid& base, const Oid& ours,
                                                              const Oid& theirs) {
  RenameGuard guard(source);
  const absl::StatusOr<Side> our_side = guard.ReadSide(base, ours);
  const absl::StatusOr<Side> their_side = guard.ReadSide(base, theirs);
  for (const absl::Status& status : {our_side.status(), their_side.status()}) {
    if (base::ReasonOf(status) == "LIST_TOO_LONG") return "";
    RETURN_IF_ERROR(status);
  }
  ASSIGN_OR_RETURN(std::optional<std::string> path,
                   guard.FindInBothDeleted(*our_side, *their_side));
  if (path.has_value()) return path;
  ASSIGN_OR_RETURN(path, guard.FindInMovedDirectory(*our_side, *their_side, theirs));
  if (path.has_value()) return path;
  return guard.FindInMovedDirectory(*their_side, *our_side, ours);
}

}  // namespace slipway::git
