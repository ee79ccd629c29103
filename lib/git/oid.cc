#include "lib/git/oid.h"

#include <algorithm>

#include "lib/git/errors.h"

namespace slipway::git {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

absl::StatusOr<Oid> Oid::Parse(absl::string_view hex) {
  if (hex.size() != 2 * kSize) return OidInvalid(hex);
  Oid oid;
  for (size_t i = 0; i < kSize; ++i) {
    const int high = HexDigit(hex[2 * i]);
    const int low = HexDigit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return OidInvalid(hex);
    oid.bytes_[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return oid;
}

Oid Oid::FromBytes(absl::string_view bytes) {
  Oid oid;
  std::memcpy(oid.bytes_.data(), bytes.data(), std::min(bytes.size(), kSize));
  return oid;
}

std::string Oid::ToHex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * kSize);
  for (const uint8_t byte : bytes_) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

}  // namespace slipway::git
