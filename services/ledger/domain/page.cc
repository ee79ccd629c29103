#include "services/ledger/domain/page.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/limits.h"

namespace slipway::ledger {
namespace {

constexpr size_t kTokenBytesMax = 4'096;  // Our own are far shorter.

absl::Status TokenInvalid() {
  return PageInvalid("page_token is not one that this list returned; start without it");
}

}  // namespace

absl::StatusOr<int> PageSize(const PageRequest& page) {
  if (page.size < 0) return PageInvalid("page_size is negative; 0 means the default");
  return page.size == 0 ? kPageSizeDefault : std::min(page.size, kPageSizeMax);
}

std::string EncodePosition(const std::vector<std::string>& values) {
  using nlohmann::json;
  return absl::WebSafeBase64Escape(
      json(values).dump(-1, ' ', false, json::error_handler_t::replace));
}

absl::StatusOr<std::vector<std::string>> DecodePosition(absl::string_view token, size_t count) {
  if (token.empty()) return std::vector<std::string>(count);
  std::string text;
  if (token.size() > kTokenBytesMax || !absl::WebSafeBase64Unescape(token, &text)) {
    return TokenInvalid();
  }
  const nlohmann::json form = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!form.is_array() || form.size() != count) return TokenInvalid();
  std::vector<std::string> values;
  for (const nlohmann::json& value : form) {
    if (!value.is_string()) return TokenInvalid();
    values.push_back(value.get<std::string>());
  }
  return values;
}

std::string EncodeNumber(int64_t number) { return EncodePosition({absl::StrCat(number)}); }

absl::StatusOr<int64_t> NumberOf(const std::string& value) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(value, &number)) return TokenInvalid();
  return number;
}

absl::StatusOr<int64_t> DecodeNumber(absl::string_view token, int64_t first) {
  if (token.empty()) return first;
  ASSIGN_OR_RETURN(const std::vector<std::string> values, DecodePosition(token, 1));
  return NumberOf(values[0]);
}

}  // namespace slipway::ledger
