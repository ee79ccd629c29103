#include "lib/config/config.h"

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/config/settings_for_test.pb.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::config {
namespace {

using test::v1::Settings;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testkit::FailsWithReason;

TEST(ParseTest, EveryKindOfFieldIsRead) {
  ASSERT_OK_AND_ASSIGN(const Settings settings, Parse<Settings>(R"(
# A comment.
name: hello world
verbose: true
small: -2147483648
large: 9223372036854775807
small_count: 4294967295
large_count: 18446744073709551615
ratio: 0.5
share: -1.25e3
limits:
  max_files: 7
  max_bytes: 0
tags: [a, 'b', "c d"]
stages:
  - max_files: 1
  - {max_files: 2}
prices:
  input: 5
  output: -6
limits_by_id:
  3: {max_files: 4}
inline_limits: {}
maybe: 0
inner:
  inner: {name: deep}
)",
                                                                "test.yaml"));

  EXPECT_EQ(settings.name(), "hello world");
  EXPECT_TRUE(settings.verbose());
  EXPECT_EQ(settings.small(), std::numeric_limits<int32_t>::min());
  EXPECT_EQ(settings.large(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(settings.small_count(), std::numeric_limits<uint32_t>::max());
  EXPECT_EQ(settings.large_count(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(settings.ratio(), 0.5f);
  EXPECT_EQ(settings.share(), -1250.0);
  EXPECT_EQ(settings.limits().max_files(), 7);
  EXPECT_THAT(settings.tags(), ElementsAre("a", "b", "c d"));
  ASSERT_EQ(settings.stages_size(), 2);
  EXPECT_EQ(settings.stages(1).max_files(), 2);
  EXPECT_EQ(settings.prices().at("output"), -6);
  EXPECT_EQ(settings.limits_by_id().at(3).max_files(), 4);
  EXPECT_EQ(settings.source_case(), Settings::kInlineLimits);
  EXPECT_TRUE(settings.has_maybe());
  EXPECT_EQ(settings.inner().inner().name(), "deep");
}

TEST(ParseTest, DurationsHaveUnits) {
  ASSERT_OK_AND_ASSIGN(const Settings settings,
                       Parse<Settings>("timeout: 1m1.5s\ndelays: [30s, 500ms, '0']", "t"));

  EXPECT_EQ(settings.timeout().seconds(), 61);
  EXPECT_EQ(settings.timeout().nanos(), 500'000'000);
  ASSERT_EQ(settings.delays_size(), 3);
  EXPECT_EQ(settings.delays(1).nanos(), 500'000'000);
}

TEST(ParseTest, EnumValuesNeedNoPrefixAndNoCase) {
  for (const char* name : {"squash", "SQUASH", "MERGE_POLICY_SQUASH", "merge_policy_squash"}) {
    ASSERT_OK_AND_ASSIGN(const Settings settings,
                         Parse<Settings>(absl::StrCat("merge_policy: ", name), "t"));
    EXPECT_EQ(settings.merge_policy(), test::v1::MERGE_POLICY_SQUASH) << name;
  }
  ASSERT_OK_AND_ASSIGN(const Settings settings, Parse<Settings>("policies: [rebase]", "t"));
  EXPECT_THAT(settings.policies(), ElementsAre(test::v1::MERGE_POLICY_REBASE));
}

TEST(ParseTest, NothingIsInterpolated) {
  ASSERT_OK_AND_ASSIGN(const Settings settings, Parse<Settings>("name: ${HOME}/x", "t"));

  EXPECT_EQ(settings.name(), "${HOME}/x");
}

TEST(ParseTest, TextFieldsTakeAnyScalarAsWritten) {
  for (const char* text : {"010", "yes", "1.50"}) {
    ASSERT_OK_AND_ASSIGN(const Settings settings,
                         Parse<Settings>(absl::StrCat("name: ", text), "t"));
    EXPECT_EQ(settings.name(), text);
  }
}

TEST(ParseTest, EmptyMapMeansDefaults) { EXPECT_OK(Parse<Settings>("{}", "t")); }

TEST(ParseTest, AliasesMayShareValues) {
  ASSERT_OK_AND_ASSIGN(const Settings settings,
                       Parse<Settings>("limits: &l {max_files: 3}\nstages: [*l, *l]", "t"));

  EXPECT_EQ(settings.stages(1).max_files(), 3);
}

struct Rejection {
  const char* name;
  const char* yaml;
  const char* message;  // Part of the error, with its position.
};
class Rejects : public ::testing::TestWithParam<Rejection> {};

TEST_P(Rejects, WithPositionAndCause) {
  const auto result = Parse<Settings>(GetParam().yaml, "test.yaml");

  EXPECT_THAT(result, FailsWithReason("CONFIG_INVALID"));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr(GetParam().message));
}

constexpr Rejection kRejections[] = {
    {"UnknownField", "limits:\n  max_fles: 3",
     "test.yaml:2:3: unknown field 'max_fles' in Limits (did you mean 'max_files'?)"},
    {"UnknownFieldWithoutGuess", "zzzzzzzzz: 3",
     "test.yaml:1:1: unknown field 'zzzzzzzzz' in Settings"},
    {"JsonName", "mergePolicy: squash", "1:1: unknown field 'mergePolicy'"},
    {"UnknownFieldInList", "stages:\n  - max_files: 1\n  - nope: 1", "3:5: unknown field 'nope'"},
    {"TextForNumber", "small: many", "1:8: 'small': expected a whole number, not 'many'"},
    {"QuotedNumber", "large: '12'", "1:8: 'large': expected a whole number, not the quoted text"},
    {"FractionForNumber", "small: 1.5", "1:8: 'small': expected a whole number"},
    {"LeadingZero", "small: 010", "1:8: 'small': expected a whole number"},
    {"Hexadecimal", "small: 0x10", "1:8: 'small': expected a whole number"},
    {"PlusSign", "small: +1", "1:8: 'small': expected a whole number"},
    {"Int32Overflow", "small: 2147483648",
     "1:8: 'small': expected a whole number from -2147483648"},
    {"Int64Overflow", "large: 9223372036854775808", "1:8: 'large': expected a whole number from"},
    {"NegativeUnsigned", "small_count: -1", "1:14: 'small_count': expected a whole number from 0"},
    {"Uint64Overflow", "large_count: 18446744073709551616", "'large_count': expected a whole"},
    {"FloatOverflow", "ratio: 1e39", "1:8: 'ratio': expected a number of at most"},
    {"DoubleOverflow", "share: 1e999", "1:8: 'share': expected a number of at most"},
    {"NotANumber", "share: .nan", "1:8: 'share': expected a number"},
    {"Infinity", "share: .inf", "1:8: 'share': expected a number"},
    {"YesForBool", "verbose: yes", "1:10: 'verbose': expected true or false, not 'yes'"},
    {"QuotedBool", "verbose: 'true'", "1:10: 'verbose': expected true or false"},
    {"EnumTypo", "merge_policy: sqash",
     "1:15: 'merge_policy': 'sqash' is not a MergePolicy (did you mean 'squash'?)"},
    {"EnumNumber", "merge_policy: 1", "'1' is not a MergePolicy"},
    {"DurationWithoutUnit", "timeout: 30", "1:10: 'timeout': expected a duration with a unit"},
    {"NegativeDuration", "timeout: -3s", "1:10: 'timeout': expected a duration"},
    {"InfiniteDuration", "timeout: inf", "1:10: 'timeout': expected a duration"},
    {"DurationAsFields", "timeout: {seconds: 3}", "1:10: expected a single value for 'timeout'"},
    {"Bytes", "secret: abc", "1:9: 'secret': bytes cannot be configured"},
    {"OtherWellKnownType", "since: 2020-01-01", "1:8: a google.protobuf.Timestamp cannot"},
    {"ListForScalar", "name: [a]", "1:7: expected a single value for 'name', not a list"},
    {"MapForScalar", "name: {a: b}", "1:7: expected a single value for 'name', not a map"},
    {"ScalarForList", "tags: a", "1:7: expected a list for 'tags'"},
    {"ScalarForMessage", "limits: 3", "1:9: expected the fields of Limits"},
    {"ListForMessage", "limits: [1]", "1:9: expected the fields of Limits"},
    {"ListForMap", "prices: [1]", "1:9: expected 'key: value' lines for the map 'prices'"},
    {"DuplicateField", "name: a\nsmall: 1\nname: b", "3:1: 'name' is given twice"},
    {"DuplicateMapKey", "prices:\n  a: 1\n  a: 2", "3:3: 'a' is given twice"},
    {"MapKeyOfWrongType", "limits_by_id: {x: {}}", "'key': expected a whole number"},
    {"MapValueOfWrongType", "prices: {a: x}", "1:13: 'value': expected a whole number"},
    {"NullField", "limits:\nname: a", "1:1: the value is missing"},
    {"TildeNull", "name: ~", "1:7: the value is missing"},
    {"NullInList", "tags: [a,\n null]", "2:2: the value is missing"},
    {"NullInMap", "prices:\n  a:\n  b: 1", "2:3: the value is missing"},
    {"NullKey", "~: a", "the value is missing"},
    {"TwoOfAOneof", "file: a\ninline_limits: {}", "2:1: 'inline_limits' and 'file' exclude"},
    {"MergeKey", "limits: &l {max_files: 1}\ninner:\n  <<: *l", "3:3: merge keys"},
    {"MergeKeyInMap", "prices:\n  <<: 1", "2:3: merge keys"},
    {"SecondDocument", "name: a\n---\nname: b", "a second document"},
    {"ExplicitTag", "small: !!int 3", "the tag 'tag:yaml.org,2002:int' is not allowed"},
    {"LocalTag", "name: !file x", "the tag '!file' is not allowed"},
    {"ComplexKey", "? [a]\n: b", "a key must be plain text"},
    {"EmptyFile", "# nothing\n", "the file is empty"},
    {"TopLevelList", "- a", "1:1: expected the fields of Settings"},
    {"BrokenSyntax", "name: a\n  b: [", "test.yaml:2:"},
    {"UnknownAlias", "name: *nowhere", "test.yaml:1:"},
    {"NotUtf8", "name: \xFF", "not UTF-8 text"},
    {"UnterminatedQuote", "name: \"abc", "test.yaml:1:11: "},
    {"AliasOfItself", "inner: &x {inner: *x}", "nested deeper than 32"},
};
INSTANTIATE_TEST_SUITE_P(, Rejects, ::testing::ValuesIn(kRejections),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(LimitsTest, DeepNestingIsRefused) {
  std::string yaml = "{}";
  for (int i = 0; i < 33; ++i) yaml = "{inner: " + yaml + "}";

  EXPECT_THAT(Parse<Settings>(yaml, "t"), FailsWithReason("CONFIG_INVALID"));
}

TEST(LimitsTest, ParserItselfSurvivesAbsurdNesting) {
  EXPECT_THAT(Parse<Settings>("tags: " + std::string(100'000, '['), "t"),
              FailsWithReason("CONFIG_INVALID"));
}

TEST(LimitsTest, AliasesCountEachTimeTheyAreUsed) {
  std::string yaml = "delays: &d [";
  for (int i = 0; i < 15'000; ++i) yaml += "1s,";
  yaml += "]\n";
  ASSERT_OK(Parse<Settings>(yaml, "t"));

  const auto result = Parse<Settings>(yaml + "inner: {delays: *d}\n", "t");

  EXPECT_THAT(result, FailsWithReason("CONFIG_INVALID"));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("aliases count each time"));
}

TEST(LimitsTest, HugeFileIsRefused) {
  EXPECT_THAT(Parse<Settings>("# " + std::string(kFileBytesMax, 'x'), "t"),
              FailsWithReason("CONFIG_INVALID"));
}

TEST(LoadTest, ReadsTheFileAndNamesItInErrors) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.File("ledger.yaml");
  ASSERT_OK(base::WriteFileAtomic(path, "name: a\n"));
  ASSERT_OK_AND_ASSIGN(const Settings settings, Load<Settings>(path));
  EXPECT_EQ(settings.name(), "a");

  ASSERT_OK(base::WriteFileAtomic(path, "nam: a\n"));
  const absl::Status broken = Load<Settings>(path).status();
  EXPECT_THAT(std::string(broken.message()), HasSubstr(path + ":1:1: unknown field 'nam'"));
  EXPECT_EQ(base::DetailOf(broken)->metadata.at("line"), "1");
}

TEST(LoadTest, MissingFileSaysHowToNameOne) {
  EXPECT_THAT(Load<Settings>("/nonexistent/x.yaml"), FailsWithReason("CONFIG_UNREADABLE"));
  const auto result = Load<Settings>("");
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("--config"));
}

}  // namespace
}  // namespace slipway::config
