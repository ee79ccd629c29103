#include "lib/policy/secret_scanner.h"

#include <re2/re2.h>

#include <algorithm>
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

// A credential in a text.
struct SecretSpan {
  size_t begin = 0;
  size_t end = 0;
  absl::string_view rule;
};

// A key of several lines goes on to its last line, or where that is missing, for as long as the
// longest key that is in use.
constexpr size_t kKeyBlockBytesMax = 16 << 10;
size_t EndOfKeyBlock(absl::string_view text, size_t begin, size_t end, absl::string_view rule) {
  const bool block = rule == "private-key" || rule == "pgp-private-key" || rule == "putty-key";
  if (!block) return end;
  const absl::string_view rest = text.substr(begin, kKeyBlockBytesMax);
  const absl::string_view last = rule == "putty-key" ? "Private-MAC: " : "-----END ";
  const size_t found = rest.find(last);
  if (found == absl::string_view::npos) return begin + rest.size();
  const size_t line_end = rest.find_first_of("\n\\", found);
  return begin + (line_end == absl::string_view::npos ? rest.size() : line_end);
}

void FindAllSecrets(absl::string_view text, std::vector<SecretSpan>& spans) {
  uint64_t candidates = Keywords().Find(text);
  for (; candidates != 0; candidates &= candidates - 1) {
    const Compiled& compiled = CompiledRules()[absl::countr_zero(candidates)];
    const re2::StringPiece input(text.data(), text.size());
    re2::StringPiece groups[2];
    const int wanted = compiled.expression->NumberOfCapturingGroups() > 0 ? 2 : 1;
    size_t from = 0;
    while (from < text.size() &&
           compiled.expression->Match(input, from, text.size(), RE2::UNANCHORED, groups, wanted)) {
      const re2::StringPiece& group = groups[wanted - 1];
      const absl::string_view secret(group.data(), group.size());
      const size_t begin = static_cast<size_t>(secret.data() - text.data());
      // The end of a match may be the separator that the next one begins with.
      from = std::max(begin + secret.size(), from + 1);
      if (compiled.rule->entropy_min > 0 &&
          (EntropyOf(secret) < compiled.rule->entropy_min || IsPlaceholder(secret))) {
        continue;
      }
      const size_t end = EndOfKeyBlock(text, begin, begin + secret.size(), compiled.rule->id);
      spans.push_back({begin, end, compiled.rule->id});
      from = std::max(from, end);
    }
  }
}

void FindAuthorization(absl::string_view text, std::vector<SecretSpan>& spans) {
  static const RE2& header =
      *new RE2(R"((?i)(?:authorization|x-api-key|x-goog-api-key|api-key)\\*["']?\s*[:=]\s*\\*["']?)"
               R"((?:(?:bearer|basic|token)\s+)?([A-Za-z0-9._~+/=-]{12,}))");
  const re2::StringPiece input(text.data(), text.size());
  re2::StringPiece groups[2];
  size_t from = 0;
  while (from < text.size() && header.Match(input, from, text.size(), RE2::UNANCHORED, groups, 2)) {
    const absl::string_view value(groups[1].data(), groups[1].size());
    const size_t begin = static_cast<size_t>(value.data() - text.data());
    from = begin + value.size();
    if (!IsPlaceholder(value)) spans.push_back({begin, from, "authorization"});
  }
}

void FindEncodedSecrets(absl::string_view text, std::vector<SecretSpan>& spans) {
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin;
    while (end < text.size() && kEncodingCharacters[static_cast<unsigned char>(text[end])]) ++end;
    if (end - begin >= kEncodedBytesMin) {
      const absl::string_view run = text.substr(begin, end - begin);
      for (const std::string& decoded : {FromBase64(run), FromHex(run)}) {
        std::vector<SecretSpan> inside;
        if (!decoded.empty()) FindAllSecrets(decoded, inside);
        if (!inside.empty()) spans.push_back({begin, end, inside.front().rule});
      }
    }
    begin = end + 1;
  }
}

}  // namespace

Redaction RedactSecrets(absl::string_view text) {
  std::vector<SecretSpan> spans;
  FindAllSecrets(text, spans);
  FindAuthorization(text, spans);
  FindEncodedSecrets(text, spans);
  std::sort(spans.begin(), spans.end(),
            [](const SecretSpan& a, const SecretSpan& b) { return a.begin < b.begin; });
  Redaction result;
  size_t copied = 0;
  for (const SecretSpan& span : spans) {
    if (span.end <= copied) continue;
    if (span.begin >= copied) {
      absl::StrAppend(&result.text, text.substr(copied, span.begin - copied),
                      "[redacted: ", span.rule, "]");
      ++result.replaced;
    }
    copied = span.end;
  }
  absl::StrAppend(&result.text, text.substr(copied));
  return result;
}

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
