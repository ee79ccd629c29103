#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::ledger {

// Which part of a list. `size` is as callers gave it: 0 means the default, more than kPageSizeMax
// is kPageSizeMax.
struct PageRequest {
  int size = 0;
  std::string token;
};

template <typename T>
struct Page {
  std::vector<T> items;
  std::string next_token;  // Empty at the end.
};

// How many items to return. Fails with PageInvalid when `size` is negative.
absl::StatusOr<int> PageSize(const PageRequest& page);

// The position after an item, by the values that order the list, as an opaque token.
std::string EncodePosition(const std::vector<std::string>& values);

// The `count` values of a token; as many empty ones for an empty token. Fails with PageInvalid.
absl::StatusOr<std::vector<std::string>> DecodePosition(absl::string_view token, size_t count);

// The same for positions that are one number; `first` for an empty token.
std::string EncodeNumber(int64_t number);
absl::StatusOr<int64_t> DecodeNumber(absl::string_view token, int64_t first);
absl::StatusOr<int64_t> NumberOf(const std::string& value);

}  // namespace slipway::ledger
