#include "agent/domain/text_cleaner.h"

#include <algorithm>
#include <utility>

namespace slipway::agent {
namespace {

constexpr char kRedacted[] = "[redacted]";

}  // namespace

TextCleaner::TextCleaner(std::vector<std::string> secrets) {
  for (std::string& secret : secrets) {
    if (secret.empty()) continue;
    secret_bytes_max_ = std::max(secret_bytes_max_, secret.size());
    secrets_.push_back(std::move(secret));
  }
}

std::string TextCleaner::Feed(absl::string_view bytes) {
  Strip(bytes);
  return Redact(/*last=*/false);
}

std::string TextCleaner::Finish() {
  state_ = State::kText;
  return Redact(/*last=*/true);
}

void TextCleaner::Strip(absl::string_view bytes) {
  for (const char c : bytes) {
    switch (state_) {
      case State::kText:
        if (c == '\x1b') {
          state_ = State::kEscape;
        } else if (c == '\n' || c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f)) {
          pending_.push_back(c);
        }
        break;
      case State::kEscape:
        if (c == '[') {
          state_ = State::kSequence;
        } else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_') {
          state_ = State::kString;
        } else if (c < ' ' || c > '/') {
          state_ = State::kText;
        }
        break;
      case State::kSequence:
        if (c >= '@' && c <= '~') state_ = State::kText;
        if (c == '\n') {  // No sequence spans lines: this was none.
          pending_.push_back(c);
          state_ = State::kText;
        }
        break;
      case State::kString:
      case State::kStringEscape:
        if (c == '\a' || c == '\n' || (state_ == State::kStringEscape && c == '\\')) {
          state_ = State::kText;
        } else {
          state_ = c == '\x1b' ? State::kStringEscape : State::kString;
        }
        break;
    }
  }
}

std::string TextCleaner::Redact(bool last) {
  std::string clean;
  size_t from = 0;
  while (true) {
    size_t found = std::string::npos;
    size_t size = 0;
    for (const std::string& secret : secrets_) {
      const size_t at = pending_.find(secret, from);
      if (at < found) {
        found = at;
        size = secret.size();
      }
    }
    if (found == std::string::npos) break;
    clean.append(pending_, from, found - from).append(kRedacted);
    from = found + size;
  }
  size_t held = 0;
  if (!last && secret_bytes_max_ > 0) {
    held = std::min(pending_.size() - from, secret_bytes_max_ - 1);
    // Text waits only while it may be the beginning of a secret.
    while (held > 0) {
      const absl::string_view tail = absl::string_view(pending_).substr(pending_.size() - held);
      const bool begins = std::any_of(secrets_.begin(), secrets_.end(), [&](const auto& secret) {
        return absl::string_view(secret).substr(0, held) == tail;
      });
      if (begins) break;
      --held;
    }
  }
  clean.append(pending_, from, pending_.size() - held - from);
  pending_.erase(0, pending_.size() - held);
  return clean;
}

}  // namespace slipway::agent
