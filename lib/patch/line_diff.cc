#include "lib/patch/line_diff.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_map.h"

namespace slipway::patch {
namespace {

// Edits that one stretch may need before it is replaced as a whole; bounds the working memory.
constexpr int64_t kEditsMax = 4'096;

using Symbols = std::vector<uint32_t>;

// A line that both texts hold: which one it is, and where it stands.
struct Sequence {
  Symbols symbols;
  std::vector<size_t> positions;
};

struct Box {
  int64_t old_begin, old_end, new_begin, new_end;
};

struct Split {
  int64_t old_at, new_at;
};

// Finds which lines of either side are not part of the common subsequence.
class Differ final {
 public:
  Differ(const Sequence& old_lines, const Sequence& new_lines, size_t steps_max,
         std::vector<bool>& old_changed, std::vector<bool>& new_changed)
      : old_(old_lines),
        new_(new_lines),
        steps_left_(static_cast<int64_t>(steps_max)),
        old_changed_(old_changed),
        new_changed_(new_changed),
        forward_(2 * kEditsMax + 5),
        backward_(2 * kEditsMax + 5) {}

  void Run() {
    std::vector<Box> pending = {{0, static_cast<int64_t>(old_.symbols.size()), 0,
                                 static_cast<int64_t>(new_.symbols.size())}};
    while (!pending.empty()) {
      const Box box = Trim(pending.back());
      pending.pop_back();
      const bool both = box.old_begin < box.old_end && box.new_begin < box.new_end;
      const std::optional<Split> split = both ? FindSplit(box) : std::nullopt;
      if (!split.has_value()) {
        Mark(box);
        continue;
      }
      pending.push_back({box.old_begin, split->old_at, box.new_begin, split->new_at});
      pending.push_back({split->old_at, box.old_end, split->new_at, box.new_end});
    }
  }

 private:
  bool Same(int64_t old_at, int64_t new_at) const {
    return old_.symbols[old_at] == new_.symbols[new_at];
  }

  Box Trim(Box box) const {
    while (box.old_begin < box.old_end && box.new_begin < box.new_end &&
           Same(box.old_begin, box.new_begin)) {
      ++box.old_begin;
      ++box.new_begin;
    }
    while (box.old_begin < box.old_end && box.new_begin < box.new_end &&
           Same(box.old_end - 1, box.new_end - 1)) {
      --box.old_end;
      --box.new_end;
    }
    return box;
  }

  void Mark(const Box& box) {
    for (int64_t i = box.old_begin; i < box.old_end; ++i) old_changed_[old_.positions[i]] = true;
    for (int64_t i = box.new_begin; i < box.new_end; ++i) new_changed_[new_.positions[i]] = true;
  }

  // The furthest old position on diagonal `k` after one more edit; -1 when it leaves the box.
  static int64_t Step(const std::vector<int64_t>& reach, int64_t k, int64_t old_size,
                      int64_t new_size) {
    const int64_t left = reach[Index(k - 1)];
    const int64_t above = reach[Index(k + 1)];
    const int64_t by_removal = left >= 0 && left < old_size ? left + 1 : -1;
    const int64_t by_addition = above >= 0 && above - k <= new_size ? above : -1;
    return std::max(by_removal, by_addition);
  }

  static size_t Index(int64_t k) { return static_cast<size_t>(k + kEditsMax + 2); }

  // A point on a shortest path through `box`, searched from both ends at once; absent when the
  // budget is spent or the path is too long.
  std::optional<Split> FindSplit(const Box& box) {
    const int64_t old_size = box.old_end - box.old_begin;
    const int64_t new_size = box.new_end - box.new_begin;
    const int64_t delta = old_size - new_size;
    const bool odd = (delta & 1) != 0;
    for (int64_t edits = 0; edits <= kEditsMax; ++edits) {
      steps_left_ -= 2 * edits + 2;
      if (steps_left_ < 0) return std::nullopt;
      forward_[Index(-edits - 1)] = forward_[Index(edits + 1)] = -1;
      backward_[Index(-edits - 1)] = backward_[Index(edits + 1)] = -1;
      for (int64_t k = -edits; k <= edits; k += 2) {
        int64_t x = edits == 0 ? 0 : Step(forward_, k, old_size, new_size);
        if (x >= 0) {
          const int64_t from = x;
          while (x < old_size && x - k < new_size && Same(box.old_begin + x, box.new_begin + x - k))
            ++x;
          steps_left_ -= x - from;
        }
        forward_[Index(k)] = x;
        const int64_t facing = delta - k;
        if (x >= 0 && odd && facing > -edits && facing < edits && backward_[Index(facing)] >= 0 &&
            x + backward_[Index(facing)] >= old_size) {
          return Split{box.old_begin + x, box.new_begin + x - k};
        }
      }
      for (int64_t k = -edits; k <= edits; k += 2) {
        int64_t x = edits == 0 ? 0 : Step(backward_, k, old_size, new_size);
        if (x >= 0) {
          const int64_t from = x;
          while (x < old_size && x - k < new_size &&
                 Same(box.old_end - 1 - x, box.new_end - 1 - (x - k)))
            ++x;
          steps_left_ -= x - from;
        }
        backward_[Index(k)] = x;
        const int64_t facing = delta - k;
        if (x >= 0 && !odd && facing >= -edits && facing <= edits && forward_[Index(facing)] >= 0 &&
            x + forward_[Index(facing)] >= old_size) {
          return Split{box.old_end - x, box.new_end - (x - k)};
        }
      }
    }
    return std::nullopt;
  }

  const Sequence& old_;
  const Sequence& new_;
  int64_t steps_left_;
  std::vector<bool>& old_changed_;
  std::vector<bool>& new_changed_;
  std::vector<int64_t> forward_;   // By diagonal: the furthest old position from the start...
  std::vector<int64_t> backward_;  // ...and from the end.
};

}  // namespace

std::vector<absl::string_view> SplitLines(absl::string_view text) {
  std::vector<absl::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const size_t size = end == absl::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

std::vector<LineEdit> DiffLineLists(const std::vector<absl::string_view>& old_lines,
                                    const std::vector<absl::string_view>& new_lines,
                                    size_t steps_max) {
  absl::flat_hash_map<absl::string_view, uint32_t> symbols;
  symbols.reserve(old_lines.size());
  for (const absl::string_view line : old_lines) symbols.try_emplace(line, symbols.size());
  std::vector<bool> in_new(symbols.size(), false);
  std::vector<bool> old_changed(old_lines.size(), false);
  std::vector<bool> new_changed(new_lines.size(), false);
  // Lines of one side only are changed in any case; without them the search is short.
  Sequence old_common;
  Sequence new_common;
  for (size_t i = 0; i < new_lines.size(); ++i) {
    const auto symbol = symbols.find(new_lines[i]);
    if (symbol == symbols.end()) {
      new_changed[i] = true;
      continue;
    }
    in_new[symbol->second] = true;
    new_common.symbols.push_back(symbol->second);
    new_common.positions.push_back(i);
  }
  for (size_t i = 0; i < old_lines.size(); ++i) {
    const uint32_t symbol = symbols.find(old_lines[i])->second;
    old_changed[i] = !in_new[symbol];
    if (!in_new[symbol]) continue;
    old_common.symbols.push_back(symbol);
    old_common.positions.push_back(i);
  }
  Differ(old_common, new_common, steps_max, old_changed, new_changed).Run();

  std::vector<LineEdit> edits;
  size_t old_at = 0;
  size_t new_at = 0;
  while (old_at < old_lines.size() || new_at < new_lines.size()) {
    LineEdit edit{.old_begin = old_at, .new_begin = new_at};
    while (old_at < old_lines.size() && old_changed[old_at]) ++old_at;
    while (new_at < new_lines.size() && new_changed[new_at]) ++new_at;
    edit.old_end = old_at;
    edit.new_end = new_at;
    if (edit.old_begin < old_at || edit.new_begin < new_at) {
      edits.push_back(edit);
    } else {
      ++old_at;
      ++new_at;
    }
  }
  return edits;
}

}  // namespace slipway::patch
