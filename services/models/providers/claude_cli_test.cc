#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "services/models/providers/claude_cli_provider.h"
#include "services/models/providers/claude_cli_reply.h"
#include "services/models/testing/inbox.h"

namespace slipway::models {
namespace {

using ::testing::HasSubstr;
using testkit::FailsWithReason;
using Kind = ProviderResult::Kind;

constexpr char kAssistantLine[] =
    R"({"type":"assistant","message":{"model":"claude-x","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"done"}]}})";
constexpr char kResultLine[] =
    R"({"type":"result","subtype":"success","is_error":false,"api_error_status":null,"num_turns":1,"result":"done","stop_reason":"end_turn","session_id":"s-1","total_cost_usd":0.01,"usage":{"input_tokens":3,"cache_read_input_tokens":7,"cache_creation_input_tokens":0,"output_tokens":9}})";

struct Ending {
  const char* name;
  const char* line;
  Kind kind;
  FailureClass failure;
};
class ClaudeCliReplyEnds : public ::testing::TestWithParam<Ending> {};

TEST_P(ClaudeCliReplyEnds, ByWhatItsLastLineSays) {
  ClaudeCliReply reply;
  reply.TakeLine(R"({"type":"system","subtype":"init","model":"claude-x"})");
  reply.TakeLine(GetParam().line);

  const ProviderResult result = reply.End(absl::FromUnixSeconds(1'000'000));

  EXPECT_EQ(result.kind, GetParam().kind);
  const bool failed = result.kind == Kind::kFailed;
  EXPECT_EQ(failed ? result.failure : FailureClass(), GetParam().failure);
}

INSTANTIATE_TEST_SUITE_P(
    , ClaudeCliReplyEnds,
    ::testing::Values(
        Ending{"Whole", kResultLine, Kind::kComplete, {}},
        Ending{"Nothing", "", Kind::kUnknown, {}},
        Ending{"NotJson", "Error: unknown option", Kind::kUnknown, {}},
        Ending{
            "Payment",
            R"({"type":"result","subtype":"success","is_error":true,"api_error_status":402,"result":"API Error: 402 budget exhausted"})",
            Kind::kFailed, FailureClass::kMoney},
        Ending{
            "Key",
            R"({"type":"result","subtype":"success","is_error":true,"api_error_status":401,"result":"Invalid API key"})",
            Kind::kFailed, FailureClass::kConfig},
        Ending{
            "RateLimit",
            R"({"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"slow"})",
            Kind::kFailed, FailureClass::kWait},
        Ending{
            "Window",
            R"({"type":"result","subtype":"success","is_error":true,"result":"Claude AI usage limit reached|1003600"})",
            Kind::kFailed, FailureClass::kWait},
        Ending{
            "TooManyTurns",
            R"({"type":"result","subtype":"error_max_turns","is_error":false,"usage":{"input_tokens":5,"output_tokens":6}})",
            Kind::kUnknown,
            {}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ClaudeCliReplyTest, SubscriptionsWindowIsWaitedForToItsEnd) {
  ClaudeCliReply reply;
  reply.TakeLine(
      R"({"type":"result","subtype":"success","is_error":true,"result":"Claude AI usage limit reached|1018000"})");

  EXPECT_EQ(reply.End(absl::FromUnixSeconds(1'000'000)).retry_after, absl::Hours(5));
}

class ClaudeCliTest : public ::testing::Test {
 protected:
  // A program in place of the real one, which prints what the test says after noting how it was
  // run.
  std::unique_ptr<ClaudeCliProvider> Provider(const std::string& script) {
    const std::string path = directory_.File("claude");
    EXPECT_OK(base::WriteFileAtomic(
        path, absl::StrCat("#!/bin/sh\nenv > ", directory_.File("env"),
                           "\nprintf '%s\\n' \"$@\" > ", directory_.File("args"), "\ncat > ",
                           directory_.File("input"), "\n", script, "\n")));
    chmod(path.c_str(), 0700);
    return ClaudeCliProvider::Make({.name = "cli",
                                    .program = path,
                                    .key = "api-key",
                                    .allow_paid = true,
                                    .idle_timeout = absl::Seconds(30)},
                                   clock_)
        .value();
  }
  std::string File(const char* name) { return base::ReadFile(directory_.File(name)).value_or(""); }

  testkit::TemporaryDirectory directory_;
  testkit::FakeClock clock_;
};

TEST_F(ClaudeCliTest, RunsOneTurnWithoutToolsInAnEnvironmentOfItsOwn) {
  const auto provider =
      Provider(absl::StrCat("cat <<'END'\n", kAssistantLine, "\n", kResultLine, "\nEND"));
  setenv("SLIPWAY_SECRET_OF_THE_PARENT", "x", 1);
  Inbox inbox;

  const auto exchange =
      provider->Start({.model = "claude-x",
                       .messages = {{Speaker::kSystem, "be brief"}, {Speaker::kUser, "hello"}},
                       .output_tokens_max = 321},
                      inbox);

  EXPECT_EQ(std::get<Inbox::Text>(inbox.Next()).text, "done");
  const auto result = std::get<ProviderResult>(inbox.Next());
  EXPECT_EQ(result.kind, Kind::kComplete);
  EXPECT_EQ(*result.tokens, (TokenCounts{.input = 3, .cache_read = 7, .output = 9}));
  EXPECT_EQ(result.model, "claude-x");
  EXPECT_EQ(File("input"), "hello\n\n");
  EXPECT_THAT(File("args"), HasSubstr("--max-turns\n1\n--tools\n\n"));
  EXPECT_THAT(File("args"), HasSubstr("--system-prompt\nbe brief\n"));
  EXPECT_THAT(File("env"), HasSubstr("CLAUDE_CODE_MAX_OUTPUT_TOKENS=321"));
  EXPECT_THAT(File("env"), HasSubstr("CLAUDE_CODE_MAX_RETRIES=0"));
  EXPECT_THAT(File("env"), ::testing::Not(HasSubstr("SLIPWAY_SECRET")));
  EXPECT_THAT(File("args"), ::testing::Not(HasSubstr("api-key")));
}

TEST_F(ClaudeCliTest, AbandonedCallEndsTheProgram) {
  const auto provider = Provider(absl::StrCat("echo '", kAssistantLine, "'; exec sleep 600"));
  Inbox inbox;
  auto exchange = provider->Start({.model = "m", .messages = {{Speaker::kUser, "x"}}}, inbox);
  inbox.Next();

  exchange.reset();  // Would wait for the program.

  EXPECT_TRUE(inbox.empty());
}

TEST_F(ClaudeCliTest, MissingProgramIsAMistakeInTheConfiguration) {
  const auto provider =
      ClaudeCliProvider::Make(
          {.name = "cli", .program = directory_.File("none"), .key = "k", .allow_paid = true},
          clock_)
          .value();
  Inbox inbox;

  const auto exchange = provider->Start({.model = "m", .messages = {{Speaker::kUser, "x"}}}, inbox);

  const auto result = std::get<ProviderResult>(inbox.Next());
  EXPECT_EQ(result.kind, Kind::kFailed);
  EXPECT_EQ(result.failure, FailureClass::kConfig);
  EXPECT_EQ(result.proof, Proof::kNotSent);
}

TEST_F(ClaudeCliTest, MoneyNeedsConsentAndASubscriptionNoKey) {
  EXPECT_THAT(ClaudeCliProvider::Make({.name = "cli", .home = "/h"}, clock_),
              FailsWithReason("CONFIG_INVALID"));
  EXPECT_THAT(ClaudeCliProvider::Make({.name = "cli", .key = "k", .subscription = true}, clock_),
              FailsWithReason("CONFIG_INVALID"));
}

}  // namespace
}  // namespace slipway::models
