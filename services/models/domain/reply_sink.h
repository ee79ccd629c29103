#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace slipway::models {

// Takes the reply of a call as it comes. Called on the call's thread; must not block for long.
class ReplySink {
 public:
  virtual ~ReplySink() = default;

  // Before each try: the id of its record and the most output tokens that it was granted.
  virtual void OnGranted(const std::string& call, int64_t output_tokens_max) = 0;

  // Whole UTF-8 characters. Once this was called, there is no further try.
  // What came so far ends with the provider's own word on why it broke off.
  virtual void OnErrorPassedOn() {}
  virtual void OnText(absl::string_view text) = 0;
};

}  // namespace slipway::models
