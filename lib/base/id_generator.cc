#include "lib/base/id_generator.h"

#include <sys/random.h>

#include <array>
#include <chrono>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace slipway::base {
namespace {

template <size_t kSize>
std::array<unsigned char, kSize> RandomBytes() {
  std::array<unsigned char, kSize> bytes;
  // getrandom returns requests of up to 256 bytes whole once the pool is initialised.
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  return bytes;
}

constexpr char kAlphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";  // Crockford's base 32.

// 80 random bits.
std::string RandomSuffix() {
  std::string suffix;
  for (const unsigned char byte : RandomBytes<16>()) suffix.push_back(kAlphabet[byte % 32]);
  return suffix;
}

// 50 bits: the milliseconds of 35,000 years. With the random suffix behind it this is a ULID
// (github.com/ulid/spec) in small letters.
std::string TimeSuffix() {
  constexpr int kDigits = 10;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  std::string suffix(kDigits, '0');
  for (int i = kDigits - 1; i >= 0; --i, milliseconds /= 32)
    suffix[i] = kAlphabet[milliseconds % 32];
  return suffix;
}

class KernelRandomIds final : public IdGenerator {
 public:
  std::string NewId(absl::string_view prefix) override {
    return absl::StrCat(prefix, "-", RandomSuffix());
  }

  std::string NewOrderedId(absl::string_view prefix) override {
    return absl::StrCat(prefix, "-", TimeSuffix(), RandomSuffix());
  }

  std::string NewSecret(absl::string_view prefix) override {
    const auto bytes = RandomBytes<32>();
    return absl::StrCat(prefix, absl::WebSafeBase64Escape(absl::string_view(
                                    reinterpret_cast<const char*>(bytes.data()), bytes.size())));
  }
};

}  // namespace

IdGenerator& RandomIds() {
  static KernelRandomIds* const ids = new KernelRandomIds;
  return *ids;
}

}  // namespace slipway::base
