#include "services/models/wire/json_scan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/models/domain/errors.h"

namespace slipway::models {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The code unit of the four digits at `at`; -1 when they are none.
int CodeUnit(absl::string_view text, size_t at) {
  if (at + 4 > text.size()) return -1;
  int unit = 0;
  for (size_t i = at; i < at + 4; ++i) {
    const int digit = HexValue(text[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

void AppendUtf8(std::string& out, unsigned point) {
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (point >> 6)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3F)));
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (point >> 12)));
    out.push_back(static_cast<char>(0x80 | ((point >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | (point >> 18)));
    out.push_back(static_cast<char>(0x80 | ((point >> 12) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | ((point >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (point & 0x3F)));
  }
}

class Scan final {
 public:
  Scan(absl::string_view text, const JsonLimits& limits, JsonVisitor& visitor)
      : text_(text), limits_(limits), visitor_(visitor) {}

  absl::Status Run() {
    bool descended = true;
    while (true) {
      if (descended) {
        RETURN_IF_ERROR(TakeValue(descended));
        if (descended) continue;
      }
      if (open_.empty()) break;
      RETURN_IF_ERROR(TakeSeparator(descended));
    }
    SkipSpace();
    return at_ == text_.size() ? absl::OkStatus() : Bad("something follows the JSON value");
  }

 private:
  struct Open {
    bool object = false;
    size_t begin = 0;
    size_t count = 0;
    std::set<std::string> keys;
  };

  absl::Status Bad(absl::string_view problem) const {
    return PromptInvalid(
        absl::StrCat("the body is not JSON that is served: ", problem, " (byte ", at_, ")"));
  }

  void SkipSpace() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  // Reads a scalar, or the start of a container; `descended` tells whether a value must follow.
  absl::Status TakeValue(bool& descended) {
    SkipSpace();
    descended = false;
    if (++values_ > limits_.values) return Bad("too many values");
    const size_t begin = at_;
    switch (Peek()) {
      case '{':
      case '[':
        return TakeOpening(descended);
      case '"':
        RETURN_IF_ERROR(TakeString());
        return Tell(JsonKind::kString, begin);
      case 't':
        return TakeWord("true", JsonKind::kTrue);
      case 'f':
        return TakeWord("false", JsonKind::kFalse);
      case 'n':
        return TakeWord("null", JsonKind::kNull);
      default:
        RETURN_IF_ERROR(TakeNumber());
        return Tell(JsonKind::kNumber, begin);
    }
  }

  absl::Status TakeOpening(bool& descended) {
    if (open_.size() >= static_cast<size_t>(limits_.depth)) return Bad("too deeply nested");
    const bool object = Peek() == '{';
    Open opened;
    opened.object = object;
    opened.begin = at_++;
    open_.push_back(std::move(opened));
    SkipSpace();
    if (Peek() == (object ? '}' : ']')) return TakeClosing();
    descended = true;
    path_.emplace_back();
    return object ? TakeKey() : absl::OkStatus();
  }

  // After a value: what follows it in its container.
  absl::Status TakeSeparator(bool& descended) {
    SkipSpace();
    Open& open = open_.back();
    const char c = Peek();
    if (c == ',') {
      ++at_;
      path_.back().index = ++open.count;
      descended = true;
      return open.object ? TakeKey() : absl::OkStatus();
    }
    if (c != (open.object ? '}' : ']')) return Bad("a comma or the end of a container is missing");
    path_.pop_back();
    descended = false;
    return TakeClosing();
  }

  absl::Status TakeClosing() {
    const Open open = std::move(open_.back());
    open_.pop_back();
    keys_held_ -= open.keys.size();
    ++at_;
    return Tell(open.object ? JsonKind::kObject : JsonKind::kArray, open.begin);
  }

  absl::Status TakeKey() {
    SkipSpace();
    const size_t begin = at_;
    if (Peek() != '"') return Bad("a key is missing");
    RETURN_IF_ERROR(TakeString());
    if (at_ - begin > limits_.key_bytes) return Bad("a key is too long");
    JsonStep& step = path_.back();
    step.key = JsonText(text_.substr(begin, at_ - begin));
    step.key_begin = begin;
    if (!open_.back().keys.insert(step.key).second) return Bad("a key occurs twice in an object");
    if (++keys_held_ > limits_.keys_held) return Bad("too many keys");
    SkipSpace();
    if (Peek() != ':') return Bad("a colon is missing");
    ++at_;
    return absl::OkStatus();
  }

  absl::Status TakeString() {
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return absl::OkStatus();
      }
      if (c == '\\') {
        RETURN_IF_ERROR(TakeEscape());
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20) return Bad("a control character in a string");
      if (static_cast<unsigned char>(c) < 0x80) {
        ++at_;
        continue;
      }
      const size_t size = base::Utf8SequenceLength(text_.substr(at_, 4));
      if (size == 0) return Bad("a string is not UTF-8");
      at_ += size;
    }
    return Bad("a string has no end");
  }

  absl::Status TakeEscape() {
    const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c == 'u') {
      const int unit = CodeUnit(text_, at_ + 2);
      if (unit < 0) return Bad("a malformed escape");
      at_ += 6;
      if (unit < 0xD800 || unit > 0xDFFF) return absl::OkStatus();
      // Half a character: readers disagree about what it stands for.
      const int low = text_.substr(at_, 2) == "\\u" ? CodeUnit(text_, at_ + 2) : -1;
      if (unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF) return Bad("half a surrogate pair");
      at_ += 6;
      return absl::OkStatus();
    }
    if (absl::string_view("\"\\/bfnrt").find(c) == absl::string_view::npos) {
      return Bad("a malformed escape");
    }
    at_ += 2;
    return absl::OkStatus();
  }

  bool TakeDigits() {
    const size_t begin = at_;
    while (absl::ascii_isdigit(static_cast<unsigned char>(Peek()))) ++at_;
    return at_ > begin;
  }

  absl::Status TakeNumber() {
    if (Peek() == '-') ++at_;
    const size_t begin = at_;
    if (!TakeDigits()) return Bad("a value is missing");
    if (text_[begin] == '0' && at_ - begin > 1) return Bad("a number begins with 0");
    if (Peek() == '.') {
      ++at_;
      if (!TakeDigits()) return Bad("a malformed number");
    }
    if (Peek() == 'e' || Peek() == 'E') {
      ++at_;
      if (Peek() == '+' || Peek() == '-') ++at_;
      if (!TakeDigits()) return Bad("a malformed number");
    }
    return absl::OkStatus();
  }

  absl::Status TakeWord(absl::string_view word, JsonKind kind) {
    const size_t begin = at_;
    if (text_.substr(at_, word.size()) != word) return Bad("a value is missing");
    at_ += word.size();
    return Tell(kind, begin);
  }

  absl::Status Tell(JsonKind kind, size_t begin) {
    visitor_.OnValue({path_, kind, begin, at_});
    return absl::OkStatus();
  }

  const absl::string_view text_;
  const JsonLimits& limits_;
  JsonVisitor& visitor_;
  size_t at_ = 0;
  size_t values_ = 0;
  size_t keys_held_ = 0;  // Of the containers that are open.
  std::vector<Open> open_;
  std::vector<JsonStep> path_;
};

}  // namespace

absl::Status ScanJson(absl::string_view text, const JsonLimits& limits, JsonVisitor& visitor) {
  return Scan(text, limits, visitor).Run();
}

std::string JsonText(absl::string_view quoted) {
  std::string text;
  const absl::string_view inner = quoted.substr(1, quoted.size() - 2);
  text.reserve(inner.size());
  for (size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] != '\\') {
      text.push_back(inner[i]);
      continue;
    }
    const char c = inner[++i];
    static constexpr absl::string_view kFrom = "bfnrt";
    static constexpr absl::string_view kTo = "\b\f\n\r\t";
    const size_t known = kFrom.find(c);
    if (c != 'u') {
      text.push_back(known == absl::string_view::npos ? c : kTo[known]);
      continue;
    }
    unsigned point = static_cast<unsigned>(CodeUnit(inner, i + 1));
    i += 4;
    if (point >= 0xD800 && point < 0xDC00 && inner.substr(i + 1, 2) == "\\u") {
      const int low = CodeUnit(inner, i + 3);
      if (low >= 0xDC00 && low < 0xE000) {
        point = 0x10000 + ((point - 0xD800) << 10) + (static_cast<unsigned>(low) - 0xDC00);
        i += 6;
      }
    }
    AppendUtf8(text, point >= 0xD800 && point < 0xE000 ? 0xFFFD : point);
  }
  return text;
}

}  // namespace slipway::models
