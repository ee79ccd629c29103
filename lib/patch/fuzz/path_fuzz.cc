#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "lib/patch/path_rules.h"
#include "lib/patch/quoted_path.h"

// A path that is accepted must be safe by plainer means, too, and survive quoting.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace slipway::patch;
  const absl::string_view path(reinterpret_cast<const char*>(data), size);
  if (CheckPath(path).ok()) {
    if (path.empty() || path.size() > kPathBytesMax || path[0] == '/' || path.back() == '/' ||
        absl::StrContains(path, "//") || absl::StrContains(path, "\\") ||
        absl::StrContains(path, absl::string_view("\0", 1)) || path == ".." || !IsUtf8(path) ||
        absl::StartsWith(path, "../") || absl::StrContains(path, "/../") ||
        absl::StrContains(absl::AsciiStrToLower(absl::StrCat("/", path, "/")), "/.git/")) {
      std::abort();
    }
    const std::string quoted = QuotePath(path);
    absl::string_view text = quoted;
    if (quoted != path && TakeQuoted(text).value_or("") != path) std::abort();
    if (!CheckPath(CaseFoldKey(path)).ok() && CaseFoldKey(path).empty()) std::abort();
    CheckSymlinkTarget(path, path).IgnoreError();
  }
  HoldsDevice(path);
  absl::string_view text = path;
  TakeQuoted(text);
  return 0;
}
