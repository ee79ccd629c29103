#include "lib/policy/keyword_index.h"

#include <deque>
#include <limits>

#include "absl/strings/ascii.h"

namespace slipway::policy {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

}  // namespace

KeywordIndex::KeywordIndex(const std::vector<Keyword>& keywords) {
  uint32_t classes = 1;
  for (const Keyword& keyword : keywords) {
    for (const char c : keyword.word) {
      const auto lower = static_cast<unsigned char>(c);
      if (class_[lower] != 0) continue;
      class_[lower] = static_cast<uint8_t>(classes);
      class_[static_cast<unsigned char>(absl::ascii_toupper(lower))] =
          static_cast<uint8_t>(classes);
      ++classes;
    }
  }
  while ((1u << shift_) < classes) ++shift_;
  const uint32_t width = 1u << shift_;
  next_.assign(width, kNone);
  numbers_.assign(1, 0);
  for (const Keyword& keyword : keywords) {
    uint32_t node = 0;
    for (const char c : keyword.word) node = Child(node, static_cast<unsigned char>(c));
    numbers_[node] |= uint64_t{1} << keyword.number;
  }
  // By length of the word so far: a state that has no edge goes where its longest suffix goes.
  std::vector<uint32_t> suffix(numbers_.size(), 0);
  std::deque<uint32_t> nodes = {0};
  while (!nodes.empty()) {
    const uint32_t node = nodes.front();
    nodes.pop_front();
    for (uint32_t c = 0; c < width; ++c) {
      uint32_t& edge = next_[node * width + c];
      const uint32_t fallback = node == 0 ? 0 : next_[suffix[node] * width + c];
      if (edge == kNone) {
        edge = fallback;
        continue;
      }
      const uint32_t child = edge >> shift_;
      suffix[child] = fallback >> shift_;
      numbers_[child] |= numbers_[suffix[child]];
      nodes.push_back(child);
    }
  }
}

uint32_t KeywordIndex::Child(uint32_t node, unsigned char c) {
  const uint32_t width = 1u << shift_;
  const size_t edge = node * width + class_[c];
  if (next_[edge] == kNone) {
    next_[edge] = static_cast<uint32_t>(numbers_.size()) * width;
    next_.resize(next_.size() + width, kNone);
    numbers_.push_back(0);
  }
  return next_[edge] >> shift_;
}

}  // namespace slipway::policy
