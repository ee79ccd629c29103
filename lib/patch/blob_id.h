#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::patch {

// The id that git gives a blob with this content: 40 hexadecimal digits.
std::string GitBlobId(absl::string_view content);

inline constexpr absl::string_view kNullOid = "0000000000000000000000000000000000000000";
inline constexpr absl::string_view kEmptyBlobOid = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

}  // namespace slipway::patch
