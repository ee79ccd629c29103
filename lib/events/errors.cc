#include "lib/events/errors.h"

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::events {

absl::Status ResumeTokenInvalid() {
  return base::Error(absl::StatusCode::kInvalidArgument, "RESUME_TOKEN_INVALID",
                     "the resume token was not made by an event log: pass one back unchanged, or "
                     "none to start from the oldest event");
}

absl::Status ResumeTokenExpired(int64_t sequence, int64_t oldest) {
  return base::Error(
      absl::StatusCode::kFailedPrecondition, "RESUME_TOKEN_EXPIRED",
      absl::StrCat("events after ", sequence, " are no longer kept, the oldest is ", oldest,
                   ": read the current state, then watch with an empty token"),
      {{"sequence", absl::StrCat(sequence)}, {"oldest", absl::StrCat(oldest)}});
}

absl::Status ResumeTokenForeign(absl::string_view problem) {
  return base::Error(absl::StatusCode::kFailedPrecondition, "RESUME_TOKEN_FOREIGN",
                     absl::StrCat("the resume token ", problem,
                                  ": read the current state, then watch with an empty token"));
}

absl::Status EventInvalid(absl::string_view problem) {
  return base::Error(absl::StatusCode::kInternal, "EVENT_INVALID", problem);
}

absl::Status EventTooLarge(absl::string_view kind, size_t bytes, size_t bytes_max) {
  return base::Error(absl::StatusCode::kInvalidArgument, "EVENT_TOO_LARGE",
                     absl::StrCat("an event of kind ", kind, " has ", bytes, " bytes, at most ",
                                  bytes_max, " are allowed"),
                     {{"kind", std::string(kind)}, {"bytes", absl::StrCat(bytes)}});
}

absl::Status FilterInvalid(absl::string_view problem) {
  return base::Error(absl::StatusCode::kInvalidArgument, "FILTER_INVALID", problem);
}

absl::Status PageSizeInvalid(int page_size) {
  return base::Error(absl::StatusCode::kInvalidArgument, "PAGE_SIZE_INVALID",
                     absl::StrCat("page_size is ", page_size, "; 0 asks for the default"),
                     {{"page_size", absl::StrCat(page_size)}});
}

absl::Status ShuttingDown() {
  return base::Error(absl::StatusCode::kUnavailable, "SHUTTING_DOWN",
                     "the service is stopping: watch again with the last resume token");
}

}  // namespace slipway::events
