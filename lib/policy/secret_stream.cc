#include "lib/policy/secret_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/policy/secret_scanner.h"

namespace slipway::policy {
namespace {

// Longer lines than people write, and several of the longest keys in use.
constexpr size_t kHeldBytesMax = 64 << 10;

// Where the whole lines end that no key which is still open has a part in.
size_t EndOfDecided(absl::string_view text) {
  const size_t line = text.rfind('\n');
  size_t end = line == absl::string_view::npos ? 0 : line + 1;
  constexpr std::pair<absl::string_view, absl::string_view> kBlocks[] = {
      {"-----BEGIN ", "-----END "}, {"PuTTY-User-Key-File-", "Private-MAC: "}};
  for (const auto& [first, last] : kBlocks) {
    const size_t begin = text.rfind(first);
    if (begin == absl::string_view::npos) continue;
    const size_t closing = text.find(last, begin);
    const bool open =
        closing == absl::string_view::npos || text.find('\n', closing) == absl::string_view::npos;
    if (!open) continue;
    const size_t before = text.substr(0, begin).rfind('\n');
    end = std::min(end, before == absl::string_view::npos ? 0 : before + 1);
  }
  return end;
}

}  // namespace

std::string SecretStream::Feed(absl::string_view bytes) {
  absl::StrAppend(&held_, bytes);
  const size_t end = held_.size() > kHeldBytesMax ? held_.size() : EndOfDecided(held_);
  if (end == 0) return "";
  std::string clean = RedactSecrets(absl::string_view(held_).substr(0, end)).text;
  held_.erase(0, end);
  return clean;
}

std::string SecretStream::Finish() { return RedactSecrets(std::exchange(held_, "")).text; }

}  // namespace slipway::policy
