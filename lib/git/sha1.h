#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::git {

// The checksum at the end of packs and their indexes, 20 bytes. Against damage, not against
// attacks: the ids of objects are computed with collisions in mind, see HashObject.
std::string Sha1Checksum(absl::string_view bytes);

}  // namespace slipway::git
