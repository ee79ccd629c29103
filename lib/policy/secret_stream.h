#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::policy {

// Redacts the credentials of a text that comes in pieces, cut anywhere. What the next piece may
// decide about is held back: the line that has not ended, and a private key up to its last line,
// both up to 64 KiB; a credential that lies across that many bytes of one line is not found. Not
// thread-safe.
class SecretStream final {
 public:
  // What is certain of the text so far.
  std::string Feed(absl::string_view bytes);
  // The rest; the stream is then as new.
  std::string Finish();

 private:
  std::string held_;
};

}  // namespace slipway::policy
