#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::http {

// Header fields in the order of arrival. Names compare without regard to case; a name may occur
// more than once.
class Headers final {
 public:
  using Field = std::pair<std::string, std::string>;

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  // The first value of `name`; empty when there is none.
  absl::string_view Get(absl::string_view name) const;
  bool Has(absl::string_view name) const;

  void Add(absl::string_view name, absl::string_view value);
  // Replaces every value of `name`.
  void Set(absl::string_view name, absl::string_view value);
  void Remove(absl::string_view name);

  // Whether every name is a token and no value holds a control character, which is what keeps a
  // value from being read as a further field.
  bool Valid() const;

  size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

}  // namespace slipway::http
