#pragma once

#include <compare>
#include <ostream>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace slipway::base {

// A string that names one kind of thing: ids of different kinds do not convert into each other.
//   using AttemptId = base::Id<struct AttemptTag>;
template <typename Tag>
class Id final {
 public:
  Id() = default;
  explicit Id(std::string value) : value_(std::move(value)) {}
  explicit Id(absl::string_view value) : value_(value) {}
  explicit Id(const char* value) : value_(value) {}

  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend auto operator<=>(const Id&, const Id&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Id& id) {
    return H::combine(std::move(h), id.value_);
  }
  // For GoogleTest; not a template, which would tie with its own overload.
  friend void PrintTo(const Id& id, std::ostream* sink) { *sink << id.value_; }

 private:
  std::string value_;
};

}  // namespace slipway::base
