#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// What an endpoint in OpenAI's dialect said instead of a reply.
struct HttpFailure {
  int status = 0;
  std::string type;     // error.type of the body.
  std::string code;     // error.code of the body.
  std::string message;  // error.message of the body.
  std::optional<absl::Duration> retry_after;
};

// Reads error.type, error.code and error.message; what is missing stays empty.
HttpFailure ReadFailure(int status, absl::string_view body);

// The result of a call that failed so, before any output: classified by the code of the body first,
// because 429 means both "wait" and "pay".
ProviderResult ClassifyFailure(const HttpFailure& failure);

}  // namespace slipway::models
