#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::patch {

inline constexpr size_t kPathBytesMax = 1'024;  // Below PATH_MAX with room for a checkout's root.
inline constexpr size_t kComponentBytesMax = 255;  // NAME_MAX of every common file system.
inline constexpr size_t kPathDepthMax = 64;        // Bounds recursion of whoever walks the tree.
inline constexpr size_t kSymlinkTargetBytesMax = 4'096;  // PATH_MAX.

// Whether `path` may name a file of a repository that is checked out on Linux, macOS or Windows:
// relative, canonical, printable UTF-8, and no alias of git's own directory on any of them.
// Fails with INVALID_ARGUMENT, reason one of PATH_EMPTY, PATH_ABSOLUTE, PATH_NONCANONICAL,
// PATH_TRAVERSAL, PATH_TOO_DEEP, NAME_TOO_LONG, DOTGIT, BACKSLASH, CONTROL_CHAR, UTF8,
// UNICODE_PATH, NFC_COLLISION, WIN_COLON, WIN_TRAILING, LEADING_DASH, PROTECTED (another spelling
// of .gitmodules and the like).
absl::Status CheckPath(absl::string_view path);

// Whether a component is a name that Windows opens as a device, whatever its extension: "aux.c".
bool HoldsDevice(absl::string_view path);

// Whether a symlink at `path` may point to `target`: relative, and it stays inside the tree and out
// of git's directory. Fails with INVALID_ARGUMENT, SYMLINK_TARGET.
absl::Status CheckSymlinkTarget(absl::string_view path, absl::string_view target);

// A key that is equal for paths which a file system without case, or one that decomposes letters,
// may take for one: lower case for ASCII, Latin, Greek and Cyrillic letters, with their marks
// apart.
std::string CaseFoldKey(absl::string_view path);

// Whether `bytes` are UTF-8: shortest form, no surrogates, at most U+10FFFF.
bool IsUtf8(absl::string_view bytes);

}  // namespace slipway::patch
