#include "cli/output/style.h"

#include "absl/strings/str_cat.h"

namespace slipway::cli {
namespace {

absl::string_view CodeOf(Tone tone) {
  switch (tone) {
    case Tone::kGood:
      return "32";
    case Tone::kBad:
      return "31";
    case Tone::kWarning:
      return "33";
    case Tone::kActive:
      return "36";
    case Tone::kQuiet:
      return "2";
    case Tone::kStrong:
      return "1";
    case Tone::kPlain:
      break;
  }
  return "";
}

}  // namespace

std::string Paint(Tone tone, absl::string_view text, bool colour) {
  const absl::string_view code = CodeOf(tone);
  if (!colour || code.empty() || text.empty()) return std::string(text);
  return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

}  // namespace slipway::cli
