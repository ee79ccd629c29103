#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::policy {

// One kind of credential.
struct SecretRule {
  const char* id;
  // Lower case, up to the first null; a line without any of them is not examined.
  const char* keywords[9];
  const char* expression;  // RE2; the first group, if there is one, is the secret.
  double entropy_min = 0;  // Bits a character of the secret, by Shannon; 0: any.
};

// At most 64.
const std::vector<SecretRule>& SecretRules();

// A finding never holds the secret itself.
struct SecretFinding {
  std::string rule;
  std::string redacted;  // The first characters and the length.
};

// The first credential in a line of text. Placeholders ("changeme", "example", "${TOKEN}") are not
// credentials. Thread-safe.
std::optional<SecretFinding> FindSecret(absl::string_view line);

// The first credential in what runs of base64, hexadecimal digits or %XX in the line decode to.
std::optional<SecretFinding> FindEncodedSecret(absl::string_view line);

// `text` with every credential in it, plain or encoded, replaced by "[redacted: RULE]", and the
// value of every header that authorizes, too. Placeholders stay. The whole text is examined,
// however long its lines are; a text without credentials comes back as it is.
struct Redaction {
  std::string text;
  int replaced = 0;
};
Redaction RedactSecrets(absl::string_view text);

// Whether RE2 accepts every rule; one that it does not would match nothing.
bool SecretExpressionsCompile();

// Shannon's entropy in bits a character.
double EntropyOf(absl::string_view text);

}  // namespace slipway::policy
