#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Every error of an event log that a caller can act on.
namespace slipway::events {

// INVALID_ARGUMENT (RESUME_TOKEN_INVALID): no log made it.
absl::Status ResumeTokenInvalid();

// FAILED_PRECONDITION (RESUME_TOKEN_EXPIRED): the events after it were compacted away.
absl::Status ResumeTokenExpired(int64_t sequence, int64_t oldest);

// FAILED_PRECONDITION (RESUME_TOKEN_FOREIGN): another database made it, or this one before it was
// set back to a backup.
absl::Status ResumeTokenForeign(absl::string_view problem);

// INTERNAL (EVENT_INVALID): a draft without a kind.
absl::Status EventInvalid(absl::string_view problem);

// INVALID_ARGUMENT (EVENT_TOO_LARGE): bulk data belongs elsewhere, with a reference in the event.
absl::Status EventTooLarge(absl::string_view kind, size_t bytes, size_t bytes_max);

// INVALID_ARGUMENT (FILTER_INVALID).
absl::Status FilterInvalid(absl::string_view problem);

// INVALID_ARGUMENT (PAGE_SIZE_INVALID).
absl::Status PageSizeInvalid(int page_size);

// UNAVAILABLE (SHUTTING_DOWN): watch again with the last token.
absl::Status ShuttingDown();

}  // namespace slipway::events
