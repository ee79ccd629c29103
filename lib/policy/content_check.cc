#include "lib/policy/content_check.h"

#include <re2/re2.h>

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/utf8.h"
#include "lib/patch/path_rules.h"
#include "lib/policy/limits.h"
#include "lib/policy/protected_paths.h"
#include "lib/policy/secret_scanner.h"

namespace slipway::policy {
namespace {

constexpr uint32_t kBadByte = 0xFFFFFFFF;

// Takes one code point off the front of `text`; kBadByte for a byte that is not UTF-8.
uint32_t TakeCodePoint(absl::string_view& text) {
  const size_t size = base::Utf8SequenceLength(text);
  if (size == 0) {
    text.remove_prefix(1);
    return kBadByte;
  }
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  uint32_t code = size == 1 ? byte(0) : byte(0) & (0x7Fu >> size);
  for (size_t i = 1; i < size; ++i) code = code << 6 | (byte(i) & 0x3Fu);
  text.remove_prefix(size);
  return code;
}

bool Within(uint32_t code, uint32_t first, uint32_t last) { return code >= first && code <= last; }

bool IsBidi(uint32_t code) {
  return Within(code, 0x202A, 0x202E) || Within(code, 0x2066, 0x2069) || code == 0x061C ||
         code == 0x200E || code == 0x200F;
}

bool IsEmojiBase(uint32_t code) {
  return Within(code, 0x1F000, 0x1FAFF) || Within(code, 0x2190, 0x2BFF) || code == 0x20E3 ||
         Within(code, 0x3030, 0x303D) || Within(code, 0x3297, 0x3299) || code == 0xA9 ||
         code == 0xAE || Within(code, '0', '9') || code == '#' || code == '*';
}

// A joiner or a variation selector belongs to the emoji before it.
bool IsInvisible(uint32_t code, uint32_t before) {
  if (code == 0x200D || Within(code, 0xFE00, 0xFE0F)) {
    return !IsEmojiBase(before) && !Within(before, 0xFE00, 0xFE0F);
  }
  return Within(code, 0x200B, 0x200C) || Within(code, 0x2060, 0x2064) || code == 0xFEFF ||
         code == 0x00AD || code == 0x180E || code == 0x3164 || Within(code, 0xE0000, 0xE007F) ||
         Within(code, 0xE0100, 0xE01EF);
}

bool IsControl(uint32_t code) {
  return (code < 0x20 && code != '\t' && code != '\f') || Within(code, 0x7F, 0x9F) ||
         code == 0x2028 || code == 0x2029;
}

bool IsLatin(uint32_t code) { return code < 0x80 && absl::ascii_isalpha(static_cast<char>(code)); }

// Cyrillic and Greek letters that look like Latin ones.
bool IsLookalike(uint32_t code) {
  static constexpr uint32_t kLookalikes[] = {
      0x0391, 0x0392, 0x0395, 0x0396, 0x0397, 0x0399, 0x039A, 0x039C, 0x039D, 0x039F, 0x03A1,
      0x03A4, 0x03A5, 0x03A7, 0x03BD, 0x03BF, 0x0405, 0x0406, 0x0408, 0x0410, 0x0412, 0x0415,
      0x041A, 0x041C, 0x041D, 0x041E, 0x0420, 0x0421, 0x0422, 0x0425, 0x0430, 0x0435, 0x043E,
      0x0440, 0x0441, 0x0443, 0x0445, 0x0455, 0x0456, 0x0458, 0x04BB, 0x0501, 0x051B};
  return std::binary_search(std::begin(kLookalikes), std::end(kLookalikes), code);
}

// What is wrong with the characters of one line.
struct LineFlaws {
  bool bidi = false;
  bool invisible = false;
  bool control = false;
  bool not_utf8 = false;
  bool homoglyph = false;
};

LineFlaws FlawsOf(absl::string_view line, bool first_line) {
  LineFlaws flaws;
  absl::ConsumeSuffix(&line, "\r");
  if (first_line) absl::ConsumePrefix(&line, "\xEF\xBB\xBF");  // A byte order mark.
  uint32_t before = 0;
  bool latin = false, lookalike = false;
  while (!line.empty()) {
    const uint32_t code = TakeCodePoint(line);
    if (code == kBadByte) {
      flaws.not_utf8 = true;
    } else {
      flaws.bidi = flaws.bidi || IsBidi(code);
      flaws.invisible = flaws.invisible || IsInvisible(code, before);
      flaws.control = flaws.control || IsControl(code);
    }
    latin = latin || IsLatin(code);
    lookalike = lookalike || IsLookalike(code);
    const bool word = code == '_' || IsLatin(code) || Within(code, '0', '9') ||
                      (code >= 0x80 && code != kBadByte);
    if (!word) latin = lookalike = false;
    flaws.homoglyph = flaws.homoglyph || (latin && lookalike);
    before = code;
  }
  return flaws;
}

bool IsConflictMarker(absl::string_view line) {
  for (const char* const marker : {"<<<<<<<", ">>>>>>>", "|||||||"}) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, marker)) continue;
    absl::ConsumeSuffix(&rest, "\r");
    if (rest.empty() || rest.front() == ' ') return true;
  }
  return false;
}

bool SkipsTest(absl::string_view line) {
  static const RE2& skip = *new RE2(
      R"re(@(?:pytest\.mark\.|unittest\.)(?:skip|xfail|expectedFailure)|@(?:Disabled|Ignore)\b|)re"
      R"re(\bt\.Skip(?:Now|f)?\(|\b(?:it|test|describe)\.(?:skip|todo|only)\b|)re"
      R"re(\bx(?:it|describe)\(|)re"
      R"re(#\[ignore\b|\bGTEST_SKIP\(|\bDISABLED_\w|\bpytest\.skip\()re");
  return RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), skip);
}

bool IsInstallScript(absl::string_view line) {
  static const RE2& script =
      *new RE2(R"re("(?:pre|post)?install"\s*:|"(?:pre|post)?prepare"\s*:|"prepublish"\s*:)re");
  return RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), script);
}

// Collects at most one finding of each code about one path.
class Findings final {
 public:
  explicit Findings(const std::string& path) : path_(path) {}

  void Add(absl::string_view code, size_t line, absl::string_view what) {
    for (const Finding& finding : list_) {
      if (finding.code == code) return;
    }
    list_.push_back(
        {.code = std::string(code),
         .path = path_,
         .detail = line == 0 ? std::string(what) : absl::StrCat("line ", line, " ", what)});
  }

  std::vector<Finding> Take() { return std::move(list_); }

 private:
  const std::string& path_;
  std::vector<Finding> list_;
};

void CheckLine(absl::string_view text, size_t line, bool was_utf8, Findings& findings) {
  const LineFlaws flaws = FlawsOf(text, line == 1);
  if (flaws.not_utf8 && was_utf8) findings.Add("UTF8", line, "is not UTF-8");
  if (flaws.bidi) findings.Add("BIDI", line, "has a character that changes the order of text");
  if (flaws.invisible) findings.Add("INVISIBLE", line, "has a character that nobody sees");
  if (flaws.control) findings.Add("CONTROL_CHAR", line, "has a control character");
  if (flaws.homoglyph) {
    findings.Add("HOMOGLYPH", line, "has a word with Latin and other letters that look alike");
  }
  if (IsConflictMarker(text)) findings.Add("CONFLICT_MARKER", line, "is a conflict marker");
}

void AddSecret(const std::optional<SecretFinding>& secret, size_t line, absl::string_view how,
               Findings& findings) {
  if (!secret.has_value()) return;
  findings.Add("SECRET", line,
               absl::StrCat("holds ", how, " credential (", secret->rule, " ", secret->redacted,
                            "): read it from the environment instead"));
}

// Puts together what a string literal over several lines holds.
class LiteralJoiner final {
 public:
  // The literal that ends in `line`, when it began in an earlier one; else empty.
  absl::string_view Add(absl::string_view line) {
    absl::string_view text = absl::StripAsciiWhitespace(line);
    const bool continued = open_ && absl::ConsumePrefix(&text, absl::string_view(&quote_, 1));
    if (!continued) joined_.clear();
    for (const absl::string_view tail : {"\\", "+", ".", "&"}) {
      if (absl::ConsumeSuffix(&text, tail)) text = absl::StripTrailingAsciiWhitespace(text);
    }
    open_ = !text.empty() && (text.back() == '"' || text.back() == '\'') &&
            joined_.size() < kSecretLineBytesMax;
    if (open_) {
      quote_ = text.back();
      text.remove_suffix(1);
    }
    absl::StrAppend(&joined_, text);
    if (!continued) return "";
    return joined_;
  }

 private:
  bool open_ = false;
  char quote_ = '"';
  std::string joined_;
};

bool OnlyLineEndsDiffer(const std::vector<absl::string_view>& removed,
                        const std::vector<absl::string_view>& added) {
  constexpr size_t kLinesMin = 5;  // A few lines are a correction.
  if (removed.size() != added.size() || removed.size() < kLinesMin) return false;
  return std::equal(removed.begin(), removed.end(), added.begin(),
                    [](absl::string_view a, absl::string_view b) {
                      absl::ConsumeSuffix(&a, "\r");
                      absl::ConsumeSuffix(&b, "\r");
                      return a == b;
                    });
}

}  // namespace

std::vector<Finding> CheckText(const patch::FileChange& change, const ContentPair& content) {
  Findings findings(change.path());
  const bool was_utf8 = content.before.empty() || patch::IsUtf8(content.before);
  const bool is_test = IsTestFile(change.path());
  const bool is_package = absl::EndsWith(change.path(), "package.json");
  std::vector<absl::string_view> removed, added;
  for (const patch::Hunk& hunk : change.hunks()) {
    LiteralJoiner literal;
    size_t line = hunk.new_start;
    for (const patch::HunkLine& hunk_line : hunk.Lines()) {
      if (hunk_line.kind == '-') removed.push_back(hunk_line.text);
      if (hunk_line.kind == '+') {
        added.push_back(hunk_line.text);
        CheckLine(hunk_line.text, line, was_utf8, findings);
        AddSecret(FindSecret(hunk_line.text), line, "a", findings);
        AddSecret(FindEncodedSecret(hunk_line.text), line, "an encoded", findings);
        const absl::string_view joined = literal.Add(hunk_line.text);
        if (!joined.empty()) AddSecret(FindSecret(joined), line, "a part of a", findings);
        if (is_test && SkipsTest(hunk_line.text)) {
          findings.Add("TEST_WEAKENING", line, "skips a test");
        }
        if (is_package && IsInstallScript(hunk_line.text)) {
          findings.Add("EXEC_SURFACE", line, "runs a script when the package is installed");
        }
      }
      if (hunk_line.kind != '-') ++line;
    }
  }
  if (OnlyLineEndsDiffer(removed, added)) {
    findings.Add("CHURN", 0, "only the line ends change");
  }
  return findings.Take();
}

std::vector<Finding> CheckBinary(const std::string& path, absl::string_view after) {
  constexpr size_t kTextBytesMin = 16;  // Shorter than any credential.
  Findings findings(path);
  for (size_t at = 0; at < after.size();) {
    size_t end = at;
    while (end < after.size() && absl::ascii_isprint(after[end])) ++end;
    if (end - at >= kTextBytesMin) {
      AddSecret(FindSecret(after.substr(at, end - at)), 0, "a", findings);
    }
    at = end + 1;
  }
  return findings.Take();
}

std::vector<Finding> CheckBytes(const std::string& path, absl::string_view after) {
  static constexpr absl::string_view kMagics[] = {absl::string_view("\x7F"
                                                                    "ELF",
                                                                    4),
                                                  absl::string_view("\xFE\xED\xFA\xCE", 4),
                                                  absl::string_view("\xFE\xED\xFA\xCF", 4),
                                                  absl::string_view("\xCE\xFA\xED\xFE", 4),
                                                  absl::string_view("\xCF\xFA\xED\xFE", 4),
                                                  absl::string_view("\xCA\xFE\xBA\xBE", 4),
                                                  absl::string_view("\0asm", 4),
                                                  absl::string_view("!<arch>\n", 8),
                                                  absl::string_view("PK\x03\x04", 4),
                                                  absl::string_view("dex\n", 4),
                                                  absl::string_view("\x1BLua", 4)};
  Findings findings(path);
  bool executable = after.size() > 64 && absl::StartsWith(after, "MZ") &&
                    after.find('\0') != absl::string_view::npos;
  for (const absl::string_view magic : kMagics) {
    executable = executable || absl::StartsWith(after, magic);
  }
  const bool compiled_python = absl::EndsWith(path, ".pyc") || absl::EndsWith(path, ".pyo");
  if (executable || compiled_python) findings.Add("BINARY_EXEC", 0, "is a program or an archive");
  if (absl::StartsWith(after, "version https://git-lfs.github.com/spec/")) {
    findings.Add("LFS", 0, "points to content that is not in the patch");
  }
  return findings.Take();
}

}  // namespace slipway::policy
