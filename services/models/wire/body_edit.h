#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/models/domain/wire_request.h"

namespace slipway::models {

// Changes to a JSON text that leave every byte that they do not name as it is.
class BodyEdit final {
 public:
  // `body` must outlive the edit. Changes must not overlap.
  explicit BodyEdit(absl::string_view body) : body_(body) {}

  void Replace(WireSpan span, std::string text);
  void Insert(size_t at, std::string text) { Replace({at, at}, std::move(text)); }

  // Takes entries out of a list or object, with the commas that they leave over. `entries` are all
  // of the container in order, `removed` says of each whether it goes.
  void Remove(const std::vector<WireSpan>& entries, const std::vector<bool>& removed);

  std::string Apply() const;

 private:
  struct Change {
    WireSpan span;
    std::string text;
  };

  const absl::string_view body_;
  std::vector<Change> changes_;
};

}  // namespace slipway::models
