#include "services/reviewer/domain/validator_output.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/utf8.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {
namespace {

// What is found, without repeats and within the limits.
class FailureList final {
 public:
  bool full() const { return failures_.size() >= kFailuresMax; }

  void Add(absl::string_view name, absl::string_view message = "") {
    name = absl::StripAsciiWhitespace(name);
    message = absl::StripAsciiWhitespace(message);
    if (name.empty() || full()) return;
    const std::string text =
        base::ToUtf8(message.empty() ? std::string(name.substr(0, kFailureBytesMax))
                                     : absl::StrCat(name.substr(0, kFailureBytesMax), ": ",
                                                    message.substr(0, kFailureBytesMax)),
                     kFailureBytesMax);
    if (seen_.insert(text).second) failures_.push_back(text);
  }

  std::vector<std::string> Take() { return std::move(failures_); }

 private:
  std::unordered_set<std::string> seen_;
  std::vector<std::string> failures_;
};

// Without the colours of terminals.
std::string Plain(absl::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') continue;
    if (text[i] != '\x1b' || i + 1 >= text.size() || text[i + 1] != '[') {
      plain.push_back(text[i]);
      continue;
    }
    for (i += 2; i < text.size() && (text[i] < '@' || text[i] > '~') && text[i] != '\n';) ++i;
  }
  return plain;
}

// "FAILED tests/test_a.py::test_b - assert 1 == 2" and "ERROR ..." of the short summary.
void ReadPytest(absl::string_view output, FailureList& found) {
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    if (!absl::ConsumePrefix(&line, "FAILED ") && !absl::ConsumePrefix(&line, "ERROR ")) continue;
    const size_t dash = line.find(" - ");
    const absl::string_view name = line.substr(0, dash);
    // The header of a traceback reads "ERROR at setup of ..."; a name has no spaces outside of "[".
    if (name.substr(0, name.find('[')).find(' ') != absl::string_view::npos) continue;
    found.Add(name, dash == absl::string_view::npos ? "" : line.substr(dash + 3));
  }
}

// "	  3 - parser_test (Failed)" of the list at the end.
void ReadCtest(absl::string_view output, FailureList& found) {
  bool in_list = false;
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    if (absl::StartsWith(line, "The following tests FAILED:")) {
      in_list = true;
      continue;
    }
    if (!in_list) continue;
    line = absl::StripAsciiWhitespace(line);
    const size_t dash = line.find(" - ");
    int number = 0;
    if (dash == absl::string_view::npos || !absl::SimpleAtoi(line.substr(0, dash), &number)) {
      continue;
    }
    line.remove_prefix(dash + 3);
    const size_t how = line.rfind(" (");
    if (how == absl::string_view::npos) {
      found.Add(line);
    } else {
      absl::string_view reason = line.substr(how + 2);
      reason = reason.substr(0, reason.find(')'));
      found.Add(line.substr(0, how), reason == "Failed" ? "" : reason);
    }
  }
}

// "not ok 3 - name"; what is still to do or skipped has not failed. Parents of nested tests, which
// node prints too, fail with their children.
void ReadTap(absl::string_view output, FailureList& found) {
  std::string name;  // Of the failure whose message may follow in its block.
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    line = absl::StripLeadingAsciiWhitespace(line);
    absl::string_view rest = line;
    if (absl::ConsumePrefix(&rest, "not ok")) {
      if (!name.empty()) found.Add(std::exchange(name, ""));
      rest = absl::StripLeadingAsciiWhitespace(rest);
      while (!rest.empty() && absl::ascii_isdigit(static_cast<unsigned char>(rest.front()))) {
        rest.remove_prefix(1);
      }
      rest = absl::StripLeadingAsciiWhitespace(rest);
      absl::ConsumePrefix(&rest, "- ");
      const size_t directive = rest.find(" # ");
      if (directive != absl::string_view::npos) {
        const std::string word = absl::AsciiStrToLower(rest.substr(directive + 3, 4));
        if (word == "todo" || word == "skip") continue;
      }
      name = rest.empty() ? "a test without a name" : std::string(rest.substr(0, directive));
    } else if (!name.empty()) {
      if (absl::ConsumePrefix(&rest, "error:") || absl::ConsumePrefix(&rest, "message:")) {
        rest = absl::StripAsciiWhitespace(rest);
        if (rest.size() >= 2 && (rest.front() == '\'' || rest.front() == '"')) {
          rest = rest.substr(1, rest.size() - (rest.back() == rest.front() ? 2 : 1));
        }
        found.Add(std::exchange(name, ""), rest == "|-" || rest == "|" ? "" : rest);
      } else if (absl::StartsWith(line, "ok ") || line == "...") {
        found.Add(std::exchange(name, ""));
      }
    }
  }
  found.Add(name);
}

// "✖ name (1.5ms)" of node's own reporter, or TAP.
void ReadNode(absl::string_view output, FailureList& found) {
  ReadTap(output, found);
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!absl::ConsumePrefix(&line, "✖ ")) continue;
    const size_t time = line.rfind(" (");
    if (time != absl::string_view::npos && absl::EndsWith(line, "ms)")) line = line.substr(0, time);
    if (line != "failing tests:") found.Add(line);
  }
}

// "--- FAIL: TestA/sub (0.00s)", with the first line that the test printed below it.
void ReadGo(absl::string_view output, FailureList& found) {
  std::string name;
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    absl::string_view rest = absl::StripLeadingAsciiWhitespace(line);
    const bool indented = rest.size() < line.size();
    const bool fails = absl::ConsumePrefix(&rest, "--- FAIL: ");
    if (!name.empty() && (fails || !indented)) found.Add(std::exchange(name, ""));
    if (fails) {
      name = std::string(rest.substr(0, rest.find(" (")));
    } else if (!name.empty() && !rest.empty() && !absl::StartsWith(rest, "--- ")) {
      found.Add(std::exchange(name, ""), rest);
    } else if (absl::ConsumePrefix(&rest, "panic: ") && !indented) {
      found.Add("panic", rest);
    } else if (absl::StartsWith(line, "FAIL\t") && absl::EndsWith(line, "[build failed]")) {
      found.Add(line.substr(5));
    }
  }
  found.Add(name);
}

// The value of an attribute in the inside of a tag, with the five entities of XML resolved.
std::string AttributeOf(absl::string_view tag, absl::string_view key) {
  const std::string wanted = absl::StrCat(" ", key, "=");
  const size_t at = tag.find(wanted);
  if (at == absl::string_view::npos || at + wanted.size() >= tag.size()) return "";
  const char quote = tag[at + wanted.size()];
  if (quote != '"' && quote != '\'') return "";
  absl::string_view raw = tag.substr(at + wanted.size() + 1);
  raw = raw.substr(0, raw.find(quote)).substr(0, kFailureBytesMax * 2);
  std::string value;
  while (!raw.empty()) {
    if (absl::ConsumePrefix(&raw, "&lt;")) {
      value += '<';
    } else if (absl::ConsumePrefix(&raw, "&gt;")) {
      value += '>';
    } else if (absl::ConsumePrefix(&raw, "&quot;")) {
      value += '"';
    } else if (absl::ConsumePrefix(&raw, "&apos;")) {
      value += '\'';
    } else if (absl::ConsumePrefix(&raw, "&amp;")) {
      value += '&';
    } else if (absl::ConsumePrefix(&raw, "&#10;") || absl::ConsumePrefix(&raw, "&#xA;")) {
      value += ' ';
    } else {
      value += raw.front() == '\n' || raw.front() == '\t' ? ' ' : raw.front();
      raw.remove_prefix(1);
    }
  }
  return value;
}

// The end of the tag that begins at `begin`: a ">" may stand in a quoted value.
size_t EndOfTag(absl::string_view text, size_t begin) {
  char quote = '\0';
  for (size_t i = begin; i < text.size(); ++i) {
    if (quote != '\0') {
      if (text[i] == quote) quote = '\0';
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (text[i] == '>') {
      return i;
    }
  }
  return absl::string_view::npos;
}

// Tags are looked for one by one: no tree is built, entities are not expanded, nothing is loaded.
void ReadJunit(absl::string_view output, FailureList& found) {
  std::string test;
  for (size_t at = output.find('<'); at != absl::string_view::npos && !found.full();) {
    constexpr absl::string_view kCdata = "<![CDATA[";
    if (absl::StartsWith(output.substr(at), kCdata)) {
      at = output.find("]]>", at);
      if (at != absl::string_view::npos) at = output.find('<', at);
      continue;
    }
    const size_t end = EndOfTag(output, at + 1);
    if (end == absl::string_view::npos) return;
    const absl::string_view tag = output.substr(at + 1, end - at - 1);
    const absl::string_view kind = tag.substr(0, tag.find_first_of(" \t\n/"));
    if (kind == "testcase") {
      const std::string group = AttributeOf(tag, "classname");
      test = absl::StrCat(group, group.empty() ? "" : ".", AttributeOf(tag, "name"));
    } else if ((kind == "failure" || kind == "error") && !test.empty()) {
      found.Add(test, AttributeOf(tag, "message"));
      test.clear();
    }
    at = output.find('<', end);
  }
}

}  // namespace

std::vector<std::string> FailuresIn(absl::string_view format, absl::string_view output) {
  constexpr std::pair<absl::string_view, void (*)(absl::string_view, FailureList&)> kReaders[] = {
      {"pytest", ReadPytest}, {"ctest", ReadCtest}, {"junit", ReadJunit},
      {"tap", ReadTap},       {"go", ReadGo},       {"node", ReadNode}};
  FailureList found;
  for (const auto& [name, read] : kReaders) {
    if (name == format) read(Plain(output), found);
  }
  return found.Take();
}

}  // namespace slipway::reviewer
