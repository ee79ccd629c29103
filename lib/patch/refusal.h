#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::patch {

// Where in a change something was found wrong; travels as metadata "path", "line" and "hunk".
struct Place {
  absl::string_view path = {};  // Empty: not known.
  size_t line = 0;              // Of the text that was read, from 1; 0: not known.
  size_t hunk = 0;              // Of the file, from 1; 0: none.
};

// INVALID_ARGUMENT: the text itself is refused, whatever it is applied to.
absl::Status Refused(absl::string_view reason, absl::string_view message, const Place& place = {});

// FAILED_PRECONDITION: the change does not fit the tree it was made for.
absl::Status DoesNotFit(absl::string_view reason, absl::string_view message,
                        const Place& place = {});

// `text` shortened to what a message can carry, with bytes that are not printable ASCII escaped.
std::string Shown(absl::string_view text, size_t bytes_max = 120);

}  // namespace slipway::patch
