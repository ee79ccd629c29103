#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::agent {

// Makes program output fit to keep: terminal control sequences and control characters go, secrets
// become "[redacted]". Works on a stream that is cut anywhere; what may be the start of a secret is
// held back until it is decided. Not thread-safe.
class TextCleaner final {
 public:
  // Empty secrets are ignored.
  explicit TextCleaner(std::vector<std::string> secrets = {});

  // What is certain of the text so far.
  std::string Feed(absl::string_view bytes);
  // The rest; the cleaner is then as new.
  std::string Finish();

 private:
  enum class State { kText, kEscape, kSequence, kString, kStringEscape };

  void Strip(absl::string_view bytes);
  std::string Redact(bool last);

  std::vector<std::string> secrets_;
  size_t secret_bytes_max_ = 0;
  State state_ = State::kText;
  std::string pending_;
};

}  // namespace slipway::agent
