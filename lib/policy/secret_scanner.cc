#include "lib/policy/secret_scanner.h"

#include <re2/re2.h>

#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/numeric/bits.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/policy/keyword_index.h"
#include "lib/policy/limits.h"

namespace slipway::policy {
namespace {

// What documentation and tests write in place of a secret.
constexpr const char* kPlaceholders[] = {"example", "changeme", "change_me",   "placeholder",
                                         "xxxx",    "0000000",  "1234567",     "abcdef",
                                         "dummy",   "redacted", "your_",       "your-",
                                         "${",      "{{",       "process.env", "os.environ"};

struct Compiled {
  const SecretRule* rule;
  std::unique_ptr<RE2> expression;
};

const std::vector<Compiled>& CompiledRules() {
  static const std::vector<Compiled>& compiled = *[] {
    auto* list = new std::vector<Compiled>();
    for (const SecretRule& rule : SecretRules()) {
      RE2::Options options;
      options.set_log_errors(false);
      list->push_back({&rule, std::make_unique<RE2>(rule.expression, options)});
    }
    return list;
  }();
  return compiled;
}

const KeywordIndex& Keywords() {
  static const KeywordIndex& index = *[] {
    std::vector<KeywordIndex::Keyword> keywords;
    for (size_t i = 0; i < SecretRules().size(); ++i) {
      for (const char* const word : SecretRules()[i].keywords) {
        if (word == nullptr) break;
        keywords.push_back({word, static_cast<int>(i)});
      }
    }
    return new KeywordIndex(keywords);
  }();
  return index;
}

bool IsPlaceholder(absl::string_view secret) {
  const std::string lower = absl::AsciiStrToLower(secret);
  for (const char* const placeholder : kPlaceholders) {
    if (absl::StrContains(lower, placeholder)) return true;
  }
  return false;
}

// Shorter runs hold no credential once they are decoded.
constexpr size_t kEncodedBytesMin = 24;

constexpr std::array<bool, 256> kEncodingCharacters = [] {
  std::array<bool, 256> table = {};
  for (int c = 0; c < 256; ++c) {
    table[c] = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '+' || c == '/' || c == '-' || c == '_' || c == '=';
  }
  return table;
}();

// `text` when it is printable, else empty: random bytes decode to something, too.
std::string IfPrintable(std::string text) {
  for (const char c : text) {
    if (!absl::ascii_isprint(c) && !absl::ascii_isspace(c)) return "";
  }
  return text;
}

std::string FromBase64(absl::string_view run) {
  std::string text;
  if (absl::Base64Unescape(run, &text)) return IfPrintable(std::move(text));
  if (absl::WebSafeBase64Unescape(run, &text)) return IfPrintable(std::move(text));
  return "";
}

std::string FromHex(absl::string_view run) {
  if (run.size() % 2 != 0) return "";
  for (const char c : run) {
    if (!absl::ascii_isxdigit(c)) return "";
  }
  return IfPrintable(absl::HexStringToBytes(run));
}

std::string FromPercent(absl::string_view line) {
  std::string text;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '%' && i + 2 < line.size() && absl::ascii_isxdigit(line[i + 1]) &&
        absl::ascii_isxdigit(line[i + 2])) {
      text += absl::HexStringToBytes(line.substr(i + 1, 2));
      i += 2;
    } else {
      text.push_back(line[i]);
    }
  }
  return text;
}

}  // namespace

bool SecretExpressionsCompile() {
  for (const Compiled& compiled : CompiledRules()) {
    if (!compiled.expression->ok()) return false;
  }
  return true;
}

double EntropyOf(absl::string_view text) {
  std::array<int, 256> counts = {};
  for (const char c : text) ++counts[static_cast<unsigned char>(c)];
  double entropy = 0;
  for (const int count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(text.size());
    entropy -= share * std::log2(share);
  }
  return entropy;
}

std::optional<SecretFinding> FindSecret(absl::string_view line) {
  line = line.substr(0, kSecretLineBytesMax);
  uint64_t candidates = Keywords().Find(line);
  for (; candidates != 0; candidates &= candidates - 1) {
    const Compiled& compiled = CompiledRules()[absl::countr_zero(candidates)];
    const SecretRule& rule = *compiled.rule;
    const re2::StringPiece text(line.data(), line.size());
    re2::StringPiece groups[2];
    const int wanted = compiled.expression->NumberOfCapturingGroups() > 0 ? 2 : 1;
    if (!compiled.expression->Match(text, 0, text.size(), RE2::UNANCHORED, groups, wanted)) {
      continue;
    }
    const re2::StringPiece& group = groups[wanted - 1];
    const absl::string_view secret(group.data(), group.size());
    if (rule.entropy_min > 0 && (EntropyOf(secret) < rule.entropy_min || IsPlaceholder(secret))) {
      continue;
    }
    constexpr size_t kShown = 4;
    return SecretFinding{
        .rule = rule.id,
        .redacted = absl::StrCat(secret.substr(0, kShown), "... (", secret.size(), " characters)")};
  }
  return std::nullopt;
}

std::optional<SecretFinding> FindEncodedSecret(absl::string_view line) {
  line = line.substr(0, kSecretLineBytesMax);
  const auto encodes = [&](size_t at) {
    return kEncodingCharacters[static_cast<unsigned char>(line[at])];
  };
  // A run that is long enough covers every place at this distance: the others are not looked at.
  for (size_t at = kEncodedBytesMin - 1; at < line.size(); at += kEncodedBytesMin) {
    if (!encodes(at)) continue;
    size_t begin = at;
    size_t end = at + 1;
    while (begin > 0 && encodes(begin - 1)) --begin;
    while (end < line.size() && encodes(end)) ++end;
    at = end;
    if (end - begin < kEncodedBytesMin) continue;
    const absl::string_view run = line.substr(begin, end - begin);
    for (const std::string& text : {FromBase64(run), FromHex(run)}) {
      if (text.empty()) continue;
      if (std::optional<SecretFinding> secret = FindSecret(text)) return secret;
    }
  }
  if (line.find('%') == absl::string_view::npos) return std::nullopt;
  const std::string text = FromPercent(line);
  return text == line ? std::nullopt : FindSecret(text);
}

}  // namespace slipway::policy
