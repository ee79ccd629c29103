#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::policy {

// Finds which of many words occur in a text in one pass over it (Aho and Corasick), whatever the
// letter case. Each word stands for one of up to 64 numbers. Thread-safe after construction.
class KeywordIndex final {
 public:
  struct Keyword {
    absl::string_view word;  // In lower case, not empty.
    int number = 0;          // From 0 to 63.
  };

  explicit KeywordIndex(const std::vector<Keyword>& keywords);

  // The numbers of the words in `text`, as bits.
  uint64_t Find(absl::string_view text) const {
    uint64_t found = 0;
    uint32_t state = 0;
    for (const char c : text) {
      state = next_[state + class_[static_cast<unsigned char>(c)]];
      found |= numbers_[state >> shift_];
    }
    return found;
  }

 private:
  uint32_t Child(uint32_t node, unsigned char c);

  std::array<uint8_t, 256> class_ = {};  // 0: in no word.
  int shift_ = 0;                        // A state is a node times the number of classes, 2^shift.
  std::vector<uint32_t> next_;
  std::vector<uint64_t> numbers_;
};

}  // namespace slipway::policy
