#include "lib/policy/secret_scanner.h"

#include <re2/re2.h>

#include <array>
#include <cmath>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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

bool HasKeyword(const SecretRule& rule, const std::string& lower) {
  for (const char* const keyword : rule.keywords) {
    if (keyword == nullptr) return false;
    if (absl::StrContains(lower, keyword)) return true;
  }
  return false;
}

bool IsPlaceholder(absl::string_view secret) {
  const std::string lower = absl::AsciiStrToLower(secret);
  for (const char* const placeholder : kPlaceholders) {
    if (absl::StrContains(lower, placeholder)) return true;
  }
  return false;
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
  const std::string lower = absl::AsciiStrToLower(line);
  for (const Compiled& compiled : CompiledRules()) {
    const SecretRule& rule = *compiled.rule;
    if (!HasKeyword(rule, lower)) continue;
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

}  // namespace slipway::policy
