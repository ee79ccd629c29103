#include "lib/patch/path_rules.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "lib/base/status_macros.h"
#include "lib/patch/composed_letters.h"
#include "lib/patch/refusal.h"

namespace slipway::patch {
namespace {

constexpr uint32_t kInvalid = 0xFFFFFFFF;

// Takes one code point off the front of `bytes`; kInvalid when they are not UTF-8.
uint32_t TakeCodePoint(absl::string_view& bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t lead = byte(0);
  const size_t size = lead < 0x80       ? 1
                      : lead >> 5 == 6  ? 2
                      : lead >> 4 == 14 ? 3
                      : lead >> 3 == 30 ? 4
                                        : 0;
  if (size == 0 || size > bytes.size()) return kInvalid;
  uint32_t code = size == 1 ? lead : lead & (0x7F >> size);
  for (size_t i = 1; i < size; ++i) {
    if (byte(i) >> 6 != 2) return kInvalid;
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    return kInvalid;
  }
  bytes.remove_prefix(size);
  return code;
}

void AppendCodePoint(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xC0 | code >> 6));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | code >> 12));
    out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | code >> 18));
    out.push_back(static_cast<char>(0x80 | (code >> 12 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  }
}

bool Within(uint32_t code, uint32_t first, uint32_t last) { return code >= first && code <= last; }

// The code points that HFS+ ignores when it compares names.
bool IsHfsIgnorable(uint32_t code) {
  return Within(code, 0x200C, 0x200F) || Within(code, 0x202A, 0x202E) ||
         Within(code, 0x206A, 0x206F) || code == 0xFEFF;
}

// Code points that show nothing, or change how the others are shown.
bool IsDeceptive(uint32_t code) {
  return Within(code, 0x200B, 0x200F) || Within(code, 0x2028, 0x202E) ||
         Within(code, 0x2060, 0x206F) || code == 0xFEFF || code == 0x00AD || code == 0x061C ||
         code == 0x034F || code == 0x115F || code == 0x1160 || code == 0x180E || code == 0x3164 ||
         code == 0xFFA0 || Within(code, 0x80, 0x9F) || Within(code, 0xFFF9, 0xFFFB) ||
         Within(code, 0xFE00, 0xFE0F) || Within(code, 0xE0000, 0xE0FFF) ||
         (code & 0xFFFE) == 0xFFFE;
}

// Code points that composed (NFC) text does not hold, without the tables of Unicode: it refuses
// some rare composed names too, which costs less than a twin that overwrites a file on macOS.
bool IsDecomposed(uint32_t code) {
  return Within(code, 0x0300, 0x036F) || Within(code, 0x1AB0, 0x1AFF) ||
         Within(code, 0x1DC0, 0x1DFF) || Within(code, 0x20D0, 0x20FF) ||
         Within(code, 0xFE20, 0xFE2F) || Within(code, 0x1100, 0x11FF) || code == 0x3099 ||
         code == 0x309A || code == 0x2126 || code == 0x212A || code == 0x212B ||
         Within(code, 0xF900, 0xFAFF) || Within(code, 0x2F800, 0x2FA1F);
}

// What a file system may take `component` for: without what HFS+ ignores, what NTFS cuts off and
// letter case.
std::string Seen(absl::string_view component) {
  std::string visible;
  absl::string_view rest = component;
  while (!rest.empty()) {
    const absl::string_view before = rest;
    const uint32_t code = TakeCodePoint(rest);
    if (code == kInvalid) {
      visible.push_back(before[0]);
      rest = before.substr(1);
    } else if (!IsHfsIgnorable(code)) {
      AppendCodePoint(code, visible);
    }
  }
  std::string name = absl::AsciiStrToLower(visible);
  name = name.substr(0, name.find(':'));
  while (!name.empty() && (name.back() == '.' || name.back() == ' ')) name.pop_back();
  return name;
}

// Names that some file system takes for ".git".
bool IsDotGit(absl::string_view component) {
  const std::string name = Seen(component);
  return name == ".git" || name == "git~1";
}

// Names that some file system, but not this one, takes for a file that git obeys.
bool IsDisguise(absl::string_view component) {
  const std::string name = Seen(component);
  return name != absl::AsciiStrToLower(component) &&
         (name == ".gitmodules" || name == ".gitattributes" || name == ".gitignore" ||
          name == ".mailmap");
}

absl::Status CheckCharacters(absl::string_view path) {
  bool deceptive = false;
  bool decomposed = false;
  absl::string_view rest = path;
  while (!rest.empty()) {
    const uint32_t code = TakeCodePoint(rest);
    if (code == kInvalid) return Refused("UTF8", "the path is not UTF-8", {.path = path});
    if (code < 0x20 || code == 0x7F) {
      return Refused("CONTROL_CHAR", "the path holds a control character", {.path = path});
    }
    deceptive = deceptive || IsDeceptive(code);
    decomposed = decomposed || IsDecomposed(code);
  }
  if (deceptive) {
    return Refused("UNICODE_PATH", "the path holds an invisible or direction-changing character",
                   {.path = path});
  }
  if (decomposed) {
    return Refused("NFC_COLLISION", "the path is not in composed form (NFC)", {.path = path});
  }
  return absl::OkStatus();
}

absl::Status CheckComponent(absl::string_view component, absl::string_view path) {
  const Place place{.path = path};
  if (component.empty()) {
    return Refused("PATH_NONCANONICAL", "the path has an empty component", place);
  }
  if (component == "." || component == "..") {
    return Refused("PATH_TRAVERSAL", "the path has a component \".\" or \"..\"", place);
  }
  if (component.size() > kComponentBytesMax) {
    return Refused("NAME_TOO_LONG",
                   absl::StrCat("a component is longer than ", kComponentBytesMax, " bytes"),
                   place);
  }
  if (IsDotGit(component)) {
    return Refused("DOTGIT", "the path names git's own directory", place);
  }
  if (IsDisguise(component)) {
    return Refused("PROTECTED", "the path is another spelling of a file that git obeys", place);
  }
  if (component.find(':') != absl::string_view::npos) {
    return Refused("WIN_COLON", "the path holds a colon", place);
  }
  if (component.back() == '.' || component.back() == ' ') {
    return Refused("WIN_TRAILING", "a component ends in a dot or a space", place);
  }
  if (component[0] == '-') {
    return Refused("LEADING_DASH", "a component starts with a dash, as an option does", place);
  }
  return absl::OkStatus();
}

bool IsDevice(absl::string_view component) {
  std::string stem = absl::AsciiStrToLower(component.substr(0, component.find('.')));
  while (!stem.empty() && stem.back() == ' ') stem.pop_back();
  if (stem == "con" || stem == "prn" || stem == "aux" || stem == "nul" || stem == "conin$" ||
      stem == "conout$") {
    return true;
  }
  return stem.size() == 4 && (absl::StartsWith(stem, "com") || absl::StartsWith(stem, "lpt")) &&
         absl::ascii_isdigit(stem[3]) && stem[3] != '0';
}

// Appends `code` taken apart into a letter and its marks.
void AppendDecomposed(uint32_t code, std::string& out) {
  const ComposedLetter* const letter = FindComposedLetter(code);
  if (letter == nullptr) return AppendCodePoint(code, out);
  AppendDecomposed(letter->base, out);
  AppendCodePoint(letter->mark, out);
}

}  // namespace

bool HoldsDevice(absl::string_view path) {
  for (const absl::string_view component : absl::StrSplit(path, '/')) {
    if (IsDevice(component)) return true;
  }
  return false;
}

absl::Status CheckPath(absl::string_view path) {
  const Place place{.path = path};
  if (path.empty()) return Refused("PATH_EMPTY", "the path is empty");
  if (path.size() > kPathBytesMax) {
    return Refused("PATH_TOO_DEEP",
                   absl::StrCat("the path is longer than ", kPathBytesMax, " bytes"), place);
  }
  if (path[0] == '/') return Refused("PATH_ABSOLUTE", "the path is absolute", place);
  const std::vector<absl::string_view> components = absl::StrSplit(path, '/');
  if (components.size() > kPathDepthMax) {
    return Refused("PATH_TOO_DEEP",
                   absl::StrCat("the path has more than ", kPathDepthMax, " components"), place);
  }
  if (path.find('\\') != absl::string_view::npos) {
    return Refused("BACKSLASH", "the path holds a backslash", place);
  }
  for (const absl::string_view component : components) {
    RETURN_IF_ERROR(CheckComponent(component, path));
  }
  return CheckCharacters(path);
}

absl::Status CheckSymlinkTarget(absl::string_view path, absl::string_view target) {
  const auto refused = [&](absl::string_view why) {
    return Refused("SYMLINK_TARGET", absl::StrCat("the symlink's target ", why), {.path = path});
  };
  if (target.empty()) return refused("is empty");
  if (target.size() > kSymlinkTargetBytesMax) return refused("is too long");
  if (target[0] == '/') return refused("is absolute");
  for (const char c : target) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F || c == '\\') {
      return refused("holds a control character or a backslash");
    }
  }
  if (target.find(':') != absl::string_view::npos) return refused("holds a colon");
  auto depth = static_cast<int64_t>(std::count(path.begin(), path.end(), '/'));
  for (const absl::string_view component : absl::StrSplit(target, '/')) {
    if (component.empty() || component == ".") continue;
    depth += component == ".." ? -1 : 1;
    if (depth < 0) return refused("leaves the repository");
    if (IsDotGit(component)) return refused("names git's own directory");
  }
  return absl::OkStatus();
}

std::string CaseFoldKey(absl::string_view path) {
  std::string key;
  key.reserve(path.size());
  while (!path.empty()) {
    const absl::string_view before = path;
    uint32_t code = TakeCodePoint(path);
    if (code == kInvalid) {
      key.push_back(before[0]);
      path = before.substr(1);
      continue;
    }
    if (Within(code, 'A', 'Z') || (Within(code, 0xC0, 0xDE) && code != 0xD7) ||
        Within(code, 0x0391, 0x03A9) || Within(code, 0x0410, 0x042F)) {
      code += 32;
    } else if (Within(code, 0x0400, 0x040F)) {
      code += 80;
    } else if (code == 0x130 || code == 0x131) {
      code = 'i';
    } else if (code == 0x178) {
      code = 0xFF;
    } else if (code == 0x17F) {
      code = 's';
    } else if (Within(code, 0x0100, 0x0137) || Within(code, 0x014A, 0x0177) ||
               Within(code, 0x0460, 0x0481) || Within(code, 0x048A, 0x04BF) ||
               Within(code, 0x04D0, 0x052F) || Within(code, 0x1E00, 0x1E95) ||
               Within(code, 0x1EA0, 0x1EFF)) {
      code |= 1;  // In these blocks capitals are even and their small letters follow.
    } else if ((Within(code, 0x0139, 0x0148) || Within(code, 0x0179, 0x017E)) && code % 2 == 1) {
      code += 1;
    } else if (code == 0x3C2) {
      code = 0x3C3;
    }
    if (code < 0xC0) {
      AppendCodePoint(code, key);
    } else {
      AppendDecomposed(code, key);
    }
  }
  return key;
}

bool IsUtf8(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (TakeCodePoint(bytes) == kInvalid) return false;
  }
  return true;
}

}  // namespace slipway::patch
