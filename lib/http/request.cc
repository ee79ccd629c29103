#include "lib/http/request.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace slipway::http {

std::optional<std::string> PercentDecode(absl::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size() || !absl::ascii_isxdigit(text[i + 1]) ||
        !absl::ascii_isxdigit(text[i + 2])) {
      return std::nullopt;
    }
    decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
    if (decoded.back() == '\0') return std::nullopt;
    i += 2;
  }
  return decoded;
}

std::optional<std::string> Request::QueryParameter(absl::string_view name) const {
  for (absl::string_view part : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (PercentDecode(field.first) != std::string(name)) continue;
    return PercentDecode(absl::StrReplaceAll(field.second, {{"+", " "}}));
  }
  return std::nullopt;
}

}  // namespace slipway::http
