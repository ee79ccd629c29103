#pragma once

#include <map>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::gateway {

// A place in several logs at once.
struct MergedPosition {
  struct Place {
    enum class Kind {
      kOldest,  // Before the oldest event kept.
      kNow,     // Where the log is when it is first reached.
      kToken,   // After the events that `token` follows.
      kEnd,     // In a list of past events: all have been returned.
    };
    Kind kind = Kind::kOldest;
    std::string token;

    friend bool operator==(const Place&, const Place&) = default;
  };

  std::map<std::string, Place> places;  // By log; a log that is not here is at kOldest.

  friend bool operator==(const MergedPosition&, const MergedPosition&) = default;
};

// A resume or page token: opaque, safe in URLs, with its version. Tokens of single logs are kept
// as they are; their logs judge them.
std::string EncodePosition(const MergedPosition& position);

// Fails with RESUME_TOKEN_INVALID, or RESUME_TOKEN_FOREIGN when it names a log not in `logs`.
absl::StatusOr<MergedPosition> DecodePosition(absl::string_view token,
                                              const std::set<std::string>& logs);

}  // namespace slipway::gateway
