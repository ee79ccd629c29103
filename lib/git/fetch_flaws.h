#pragma once

namespace slipway::git {

// Flaws that old commits of respectable projects have, by git's names; everything else that fsck
// finds is refused.
inline constexpr const char* kForgivenFlaws[] = {
    "zeroPaddedFilemode", "badTimezone",    "badFilemode",           "missingSpaceBeforeDate",
    "missingEmail",       "zeroPaddedDate", "missingNameBeforeEmail"};

}  // namespace slipway::git
