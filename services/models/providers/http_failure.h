#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/http/headers.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// What an endpoint said instead of a reply, in any dialect.
struct HttpFailure {
  int status = 0;
  std::string type;     // error.type of the body.
  std::string code;     // error.code, or error.details.error_code, of the body.
  std::string message;  // error.message of the body.
  std::optional<absl::Duration> retry_after;
};

// Reads what the body says of the error; what is missing stays empty.
HttpFailure ReadFailure(int status, absl::string_view body);

// The same of an error that came inside a stream, where its kind stands for a status.
HttpFailure ReadStreamFailure(absl::string_view error);

// The result of a call that failed so, before any output: classified by the code of the body first,
// because 429 means both "wait" and "pay". A spend limit that ends with the month, or at a time
// that the text names, sets `retry_after`.
ProviderResult ClassifyFailure(const HttpFailure& failure, absl::Time now = absl::UnixEpoch());

// How long an answer asks to be left alone: its Retry-After, or the latest reset of a limit of
// which nothing remains, in OpenAI's headers or in Anthropic's.
std::optional<absl::Duration> RetryAfterOf(const http::Headers& headers, absl::Time now);

}  // namespace slipway::models
