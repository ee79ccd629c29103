#include "lib/patch/refusal.h"

#include <map>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "lib/base/error.h"

namespace slipway::patch {
namespace {

absl::Status Failure(absl::StatusCode code, absl::string_view reason, absl::string_view message,
                     const Place& place) {
  std::map<std::string, std::string> metadata;
  std::string where;
  if (!place.path.empty()) {
    metadata["path"] = Shown(place.path, 1'024);
    where = metadata["path"];
  }
  if (place.line != 0) {
    metadata["line"] = absl::StrCat(place.line);
    absl::StrAppend(&where, where.empty() ? "" : ", ", "line ", place.line, " of the patch");
  }
  if (place.hunk != 0) {
    metadata["hunk"] = absl::StrCat(place.hunk);
    absl::StrAppend(&where, where.empty() ? "" : ", ", "hunk ", place.hunk);
  }
  return base::Error(code, reason,
                     where.empty() ? std::string(message) : absl::StrCat(where, ": ", message),
                     std::move(metadata));
}

}  // namespace

absl::Status Refused(absl::string_view reason, absl::string_view message, const Place& place) {
  return Failure(absl::StatusCode::kInvalidArgument, reason, message, place);
}

absl::Status DoesNotFit(absl::string_view reason, absl::string_view message, const Place& place) {
  return Failure(absl::StatusCode::kFailedPrecondition, reason, message, place);
}

std::string Shown(absl::string_view text, size_t bytes_max) {
  const bool cut = text.size() > bytes_max;
  return absl::StrCat(absl::CHexEscape(text.substr(0, bytes_max)), cut ? "..." : "");
}

}  // namespace slipway::patch
