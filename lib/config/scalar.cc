#include "lib/config/scalar.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/config/suggestion.h"

namespace slipway::config {
namespace {

constexpr size_t kQuotedBytesMax = 80;  // Of a value that an error repeats.

absl::Status Expected(absl::string_view what, const Scalar& scalar) {
  const bool is_long = scalar.text.size() > kQuotedBytesMax;
  return absl::InvalidArgumentError(absl::StrCat("expected ", what, ", not ",
                                                 scalar.quoted ? "the quoted text " : "", "'",
                                                 is_long ? "..." : scalar.text, "'"));
}

bool AreDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

// Decimal digits after an optional minus. YAML versions disagree on what 010 is: it is refused.
bool IsInteger(const Scalar& scalar) {
  absl::string_view digits = scalar.text;
  absl::ConsumePrefix(&digits, "-");
  return !scalar.quoted && AreDigits(digits) && (digits.size() == 1 || digits[0] != '0');
}

// An integer, then an optional fraction and exponent.
bool IsDecimal(const Scalar& scalar) {
  absl::string_view rest = scalar.text;
  const size_t exponent = rest.find_first_of("eE");
  if (exponent != absl::string_view::npos) {
    absl::string_view digits = rest.substr(exponent + 1);
    if (!absl::ConsumePrefix(&digits, "-")) absl::ConsumePrefix(&digits, "+");
    if (!AreDigits(digits)) return false;
    rest = rest.substr(0, exponent);
  }
  const size_t point = rest.find('.');
  if (point != absl::string_view::npos) {
    if (!AreDigits(rest.substr(point + 1))) return false;
    rest = rest.substr(0, point);
  }
  return IsInteger({.text = std::string(rest), .quoted = scalar.quoted});
}

// "MERGE_POLICY_" for the enum MergePolicy.
std::string PrefixOf(const google::protobuf::EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(static_cast<unsigned char>(c));
  }
  return prefix + "_";
}

}  // namespace

absl::StatusOr<bool> ToBool(const Scalar& scalar) {
  if (!scalar.quoted && scalar.text == "true") return true;
  if (!scalar.quoted && scalar.text == "false") return false;
  return Expected("true or false", scalar);
}

absl::StatusOr<int64_t> ToSigned(const Scalar& scalar, int64_t low, int64_t high) {
  int64_t value = 0;
  if (!IsInteger(scalar)) return Expected("a whole number", scalar);
  if (!absl::SimpleAtoi(scalar.text, &value) || value < low || value > high) {
    return Expected(absl::StrCat("a whole number from ", low, " to ", high), scalar);
  }
  return value;
}

absl::StatusOr<uint64_t> ToUnsigned(const Scalar& scalar, uint64_t high) {
  uint64_t value = 0;
  if (!IsInteger(scalar)) return Expected("a whole number", scalar);
  if (!absl::SimpleAtoi(scalar.text, &value) || value > high) {
    return Expected(absl::StrCat("a whole number from 0 to ", high), scalar);
  }
  return value;
}

absl::StatusOr<double> ToDouble(const Scalar& scalar, double magnitude_max) {
  double value = 0;
  if (!IsDecimal(scalar)) return Expected("a number", scalar);
  if (!absl::SimpleAtod(scalar.text, &value) || std::abs(value) > magnitude_max) {
    return Expected(absl::StrCat("a number of at most ", magnitude_max), scalar);
  }
  return value;
}

absl::StatusOr<absl::Duration> ToDuration(const Scalar& scalar) {
  // The range of google.protobuf.Duration: 10,000 years.
  constexpr absl::Duration kMax = absl::Seconds(315'576'000'000);
  absl::Duration value;
  if (!absl::ParseDuration(scalar.text, &value) || value < absl::ZeroDuration() || value > kMax) {
    return Expected("a duration with a unit, such as 30s, 500ms or 1h30m", scalar);
  }
  return value;
}

absl::StatusOr<const google::protobuf::EnumValueDescriptor*> ToEnum(
    const Scalar& scalar, const google::protobuf::EnumDescriptor& type) {
  const std::string prefix = PrefixOf(type);
  const std::string name = absl::AsciiStrToUpper(scalar.text);
  std::vector<std::string> candidates;
  for (int i = 0; i < type.value_count(); ++i) {
    const auto* value = type.value(i);
    const absl::string_view full = value->name();
    const absl::string_view bare = absl::StripPrefix(full, prefix);
    if (name == full || name == bare) return value;
    candidates.push_back(absl::AsciiStrToLower(bare));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", scalar.text.substr(0, kQuotedBytesMax), "' is not a ", type.name(),
                   DidYouMean(absl::AsciiStrToLower(scalar.text), candidates)));
}

}  // namespace slipway::config
