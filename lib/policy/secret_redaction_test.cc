#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/policy/secret_scanner.h"
#include "lib/policy/secret_stream.h"

namespace slipway::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Put together here so that no scanner takes this file for a leak.
std::string TokenForTest() { return absl::StrCat("ghp", "_9aB3kLmN7qRsT2uVwX4yZ6cD8eF1gH5iJ0oP"); }

TEST(RedactSecretsTest, EveryCredentialOfATextGoesAndTheRestStays) {
  const std::string text = absl::StrCat("a ", TokenForTest(), " b ", TokenForTest(), " c");

  const Redaction redaction = RedactSecrets(text);

  EXPECT_EQ(redaction.text, "a [redacted: github-token] b [redacted: github-token] c");
  EXPECT_EQ(redaction.replaced, 2);
}

TEST(RedactSecretsTest, ATextWithoutCredentialsComesBackAsItIs) {
  const std::string text = "int main() { return 0; }\n\tAKIA is a prefix, ghp_ too.\0end";

  EXPECT_EQ(RedactSecrets(text).text, text);
  EXPECT_EQ(RedactSecrets(text).replaced, 0);
}

TEST(RedactSecretsTest, ACredentialBeyondTheLengthOfALineThatIsScannedGoes) {
  const std::string text = absl::StrCat(std::string(1 << 20, 'x'), " ", TokenForTest());

  EXPECT_THAT(RedactSecrets(text).text, Not(HasSubstr(TokenForTest())));
}

TEST(RedactSecretsTest, AnEncodedCredentialGoes) {
  const std::string base64 = absl::Base64Escape(absl::StrCat("token = ", TokenForTest()));

  const Redaction redaction = RedactSecrets(absl::StrCat("key: ", base64, "\n"));

  EXPECT_EQ(redaction.text, "key: [redacted: github-token]\n");
}

TEST(RedactSecretsTest, APrivateKeyGoesWithAllItsLines) {
  const std::string text =
      absl::StrCat("before\n-----BEGIN RSA PRIVATE", " KEY-----\nMIIEpAIB\nAAKCAQEA\n",
                   "-----END RSA PRIVATE", " KEY-----\nafter");

  EXPECT_EQ(RedactSecrets(text).text, "before\n[redacted: private-key]\nafter");
}

TEST(RedactSecretsTest, ThePrivateKeyOfAJsonTextEndsWithItsText) {
  const std::string text =
      absl::StrCat(R"({"k":"-----BEGIN PRIVATE)", R"( KEY-----\nMIIEpAIB\n-----END PRIVATE)",
                   R"( KEY-----\n","rest":1})");

  EXPECT_EQ(RedactSecrets(text).text, R"({"k":"[redacted: private-key]\n","rest":1})");
}

TEST(RedactSecretsTest, TheValueOfAnAuthorizingHeaderGoes) {
  for (const char* const header :
       {"Authorization: Bearer k8Zq2mV9xB4nW1", "x-api-key: k8Zq2mV9xB4nW1",
        R"({"Authorization":"Bearer k8Zq2mV9xB4nW1"})", R"({\"x-api-key\": \"k8Zq2mV9xB4nW1\"})",
        "curl -H 'authorization: Basic k8Zq2mV9xB4nW1=='"}) {
    const Redaction redaction = RedactSecrets(header);
    EXPECT_THAT(redaction.text, Not(HasSubstr("k8Zq2mV9"))) << header;
    EXPECT_THAT(redaction.text, HasSubstr("[redacted: authorization]")) << header;
  }
}

TEST(RedactSecretsTest, PlaceholdersStay) {
  const std::string text = "Authorization: Bearer ${TOKEN}, api_key = \"your-api-key-goes-here\"";

  EXPECT_EQ(RedactSecrets(text).text, text);
}

// What comes out when the text goes in by pieces of `size` bytes.
std::string StreamedBy(size_t size, absl::string_view text) {
  SecretStream stream;
  std::string out;
  for (size_t at = 0; at < text.size(); at += size) {
    absl::StrAppend(&out, stream.Feed(text.substr(at, size)));
  }
  return absl::StrCat(out, stream.Finish());
}

TEST(SecretStreamTest, ATextIsRedactedWhereverItIsCut) {
  const std::string text = absl::StrCat(
      "one ", TokenForTest(), "\nkey:\n-----BEGIN RSA PRIVATE", " KEY-----\nMIIEpAIB\nAAKCAQEA\n",
      "-----END RSA PRIVATE", " KEY-----\nPuTTY-User-Key-", "File-3: ssh-rsa\nPrivate-Lines: 1\n",
      "AAABAHk=\nPrivate-MAC: 00ff\nlast ", TokenForTest());
  const std::string whole = RedactSecrets(text).text;
  ASSERT_THAT(whole, Not(HasSubstr("MIIEpAIB")));
  ASSERT_THAT(whole, Not(HasSubstr("AAABAHk=")));

  for (size_t size = 1; size <= text.size(); ++size) {
    EXPECT_EQ(StreamedBy(size, text), whole) << size;
  }
}

TEST(SecretStreamTest, WholeLinesAreNotHeldBack) {
  SecretStream stream;

  EXPECT_EQ(stream.Feed("one\ntw"), "one\n");
  EXPECT_EQ(stream.Feed("o\n"), "two\n");
  EXPECT_EQ(stream.Finish(), "");
}

TEST(SecretStreamTest, ALineWithoutEndIsNotHeldForEver) {
  SecretStream stream;
  size_t out = 0;
  for (int i = 0; i < 1'000; ++i) out += stream.Feed(std::string(1 << 10, 'x')).size();

  EXPECT_GE(out, (1'000u - 64) << 10);
}

}  // namespace
}  // namespace slipway::policy
