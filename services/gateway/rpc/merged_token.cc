#include "services/gateway/rpc/merged_token.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/events/errors.h"

namespace slipway::gateway {
namespace {

// "merged1" is no valid version of a single log's token, nor the reverse.
constexpr absl::string_view kVersion = "merged1";
// Six logs with tokens of at most 256 characters, encoded once more.
constexpr size_t kTokenBytesMax = 4'096;
constexpr char kNowMark = 'n';
constexpr char kTokenMark = 't';
constexpr char kEndMark = 'e';

using Place = MergedPosition::Place;

char MarkOf(Place::Kind kind) {
  switch (kind) {
    case Place::Kind::kNow:
      return kNowMark;
    case Place::Kind::kEnd:
      return kEndMark;
    default:
      return kTokenMark;
  }
}

bool IsTokenText(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
}

}  // namespace

std::string EncodePosition(const MergedPosition& position) {
  std::string text(kVersion);
  for (const auto& [log, place] : position.places) {
    if (place.kind == Place::Kind::kOldest) continue;
    absl::StrAppend(&text, "|", log, "=", std::string(1, MarkOf(place.kind)), place.token);
  }
  return absl::WebSafeBase64Escape(text);
}

absl::StatusOr<MergedPosition> DecodePosition(absl::string_view token,
                                              const std::set<std::string>& logs) {
  MergedPosition position;
  if (token.empty()) return position;
  std::string text;
  if (token.size() > kTokenBytesMax || !absl::WebSafeBase64Unescape(token, &text)) {
    return events::ResumeTokenInvalid();
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '|');
  if (parts[0] != kVersion) return events::ResumeTokenInvalid();
  for (size_t index = 1; index < parts.size(); ++index) {
    const std::pair<absl::string_view, absl::string_view> entry =
        absl::StrSplit(parts[index], absl::MaxSplits('=', 1));
    if (entry.first.empty() || entry.second.empty()) return events::ResumeTokenInvalid();
    const std::string log(entry.first);
    const absl::string_view place_token = entry.second.substr(1);
    Place place;
    switch (entry.second[0]) {
      case kTokenMark:
        if (!IsTokenText(place_token)) return events::ResumeTokenInvalid();
        place = {.kind = Place::Kind::kToken, .token = std::string(place_token)};
        break;
      case kNowMark:
      case kEndMark:
        if (!place_token.empty()) return events::ResumeTokenInvalid();
        place.kind = entry.second[0] == kNowMark ? Place::Kind::kNow : Place::Kind::kEnd;
        break;
      default:
        return events::ResumeTokenInvalid();
    }
    if (!logs.contains(log)) {
      return events::ResumeTokenForeign(
          absl::StrCat("names a log '", log.substr(0, 40), "' that this gateway has not"));
    }
    if (!position.places.emplace(log, std::move(place)).second) {
      return events::ResumeTokenInvalid();
    }
  }
  return position;
}

}  // namespace slipway::gateway
