#include "services/ledger/domain/key.h"

#include <algorithm>

#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/limits.h"

namespace slipway::ledger {

absl::Status CheckKey(const std::string& key) {
  if (key.empty()) return KeyInvalid("is empty");
  if (key.size() > kKeyBytesMax) return KeyInvalid("is too long");
  const bool printable =
      std::all_of(key.begin(), key.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return printable ? absl::OkStatus() : KeyInvalid("has a character that is not printable ASCII");
}

}  // namespace slipway::ledger
