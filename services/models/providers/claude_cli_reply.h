#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// Reads what `claude -p --output-format stream-json` prints, line by line.
class ClaudeCliReply final {
 public:
  // Returns the text that the line adds.
  std::string TakeLine(absl::string_view line);

  // What it came to, once the program has ended. Its exit status says nothing, and the kind of its
  // last line is "success" also after errors: only the flags in that line count.
  ProviderResult End(absl::Time now) const;

 private:
  bool spoke_ = false;
  bool over_ = false;  // The last line came.
  bool error_ = false;
  int status_ = 0;  // Of the API, where it refused.
  std::string kind_;
  std::string text_;  // Of the last line.
  std::string model_;
  std::string session_;
  std::string finish_reason_;
  std::optional<TokenCounts> tokens_;
};

}  // namespace slipway::models
