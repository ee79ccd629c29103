#pragma once

#include <cstdint>

namespace slipway::patch {

// A letter that Unicode takes apart into another and one mark.
struct ComposedLetter {
  uint16_t code;
  uint16_t base;
  uint16_t mark;
};

// Small letters of the Latin, Greek and Cyrillic scripts; null for all others.
const ComposedLetter* FindComposedLetter(uint32_t code);

}  // namespace slipway::patch
