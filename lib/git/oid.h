#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::git {

// The SHA-1 id of a git object. The default value is the null id, which names nothing.
class Oid final {
 public:
  static constexpr size_t kSize = 20;

  Oid() = default;

  // `hex` is 40 lower-case digits and nothing else, or INVALID_ARGUMENT (OID_INVALID). Untrusted
  // text is never looked up as a revision.
  static absl::StatusOr<Oid> Parse(absl::string_view hex);

  // `bytes` has kSize bytes.
  static Oid FromBytes(absl::string_view bytes);

  std::string ToHex() const;
  bool IsNull() const { return *this == Oid(); }
  absl::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

  friend auto operator<=>(const Oid&, const Oid&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Oid& oid) {
    return H::combine(std::move(h), oid.bytes_);
  }
  friend std::ostream& operator<<(std::ostream& out, const Oid& oid) { return out << oid.ToHex(); }

 private:
  std::array<uint8_t, kSize> bytes_ = {};
};

}  // namespace slipway::git
