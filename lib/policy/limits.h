#pragma once

#include <cstddef>
#include <cstdint>

namespace slipway::policy {

// Of one patch, where the project sets none: more than a person can review.
inline constexpr int kFilesMaxDefault = 500;
inline constexpr int kAddedLinesMaxDefault = 20'000;
inline constexpr int64_t kPatchBytesMaxDefault = 5 << 20;

// Of one binary file where the project allows them: an icon or a small font, no data set.
inline constexpr int64_t kBinaryBytesMaxDefault = 1 << 20;

// New files in one directory, where the project sets no limit of files: beyond, they are output of
// a program.
inline constexpr int kNewFilesPerDirectoryMax = 200;

// Reasons that a refusal lists: an agent learns nothing from more.
inline constexpr size_t kReasonsMax = 50;

// Deletions that ask for a person: this many files, or this share of a tree with at least
// kMassDeleteTreeMin files.
inline constexpr size_t kMassDeleteFiles = 50;
inline constexpr size_t kMassDeletePercent = 30;
inline constexpr size_t kMassDeleteTreeMin = 10;

// A line is examined up to here for secrets: keys are shorter, and minified lines are endless.
inline constexpr size_t kSecretLineBytesMax = 16 << 10;

inline constexpr size_t kPatternBytesMax = 1'024;  // As the longest path.

}  // namespace slipway::policy
