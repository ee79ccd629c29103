#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "nlohmann/json.hpp"
#include "services/models/providers/call_log.h"
#include "services/models/providers/endpoint_provider.h"
#include "services/models/providers/http_failure.h"
#include "services/models/providers/reply_reader.h"
#include "services/models/providers/script.h"
#include "services/models/testing/inbox.h"

namespace slipway::models {
namespace {

using ::testing::HasSubstr;
using testkit::FailsWithReason;

struct Failure {
  const char* name;
  int status;
  const char* code;
  FailureClass expected;
};
class ClassifiesFailure : public ::testing::TestWithParam<Failure> {};

TEST_P(ClassifiesFailure, ByCodeBeforeStatus) {
  const ProviderResult result =
      ClassifyFailure({.status = GetParam().status, .code = GetParam().code});

  EXPECT_EQ(result.failure, GetParam().expected);
  EXPECT_EQ(result.kind, ProviderResult::Kind::kFailed);
}

INSTANTIATE_TEST_SUITE_P(
    , ClassifiesFailure,
    ::testing::Values(Failure{"RateLimit", 429, "rate_limit_exceeded", FailureClass::kWait},
                      Failure{"BareRateLimit", 429, "", FailureClass::kWait},
                      Failure{"Quota", 429, "insufficient_quota", FailureClass::kMoney},
                      Failure{"Payment", 402, "", FailureClass::kMoney},
                      Failure{"Overload", 503, "", FailureClass::kWait},
                      Failure{"Overloaded529", 529, "", FailureClass::kWait},
                      Failure{"Timeout", 408, "", FailureClass::kWait},
                      Failure{"Key", 401, "invalid_api_key", FailureClass::kConfig},
                      Failure{"Forbidden", 403, "", FailureClass::kConfig},
                      Failure{"NoModel", 404, "model_not_found", FailureClass::kConfig},
                      Failure{"Bad", 400, "invalid_value", FailureClass::kRequest},
                      Failure{"TooLarge", 413, "", FailureClass::kRequest},
                      Failure{"Unprocessable", 422, "", FailureClass::kRequest},
                      Failure{"Broken", 500, "server_error", FailureClass::kTransient},
                      Failure{"Gateway", 502, "", FailureClass::kTransient}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ClassifyFailureTest, OnlyAMissingModelConcernsItsModelAlone) {
  EXPECT_TRUE(ClassifyFailure({.status = 401}).whole_provider);
  EXPECT_FALSE(ClassifyFailure({.status = 404}).whole_provider);
}

TEST(ClassifyFailureTest, ContextLengthIsTold) {
  const HttpFailure failure =
      ReadFailure(400, R"({"error":{"message":"m","code":"context_length_exceeded"}})");

  EXPECT_EQ(ClassifyFailure(failure).reason, "CONTEXT_TOO_LONG");
}

struct Told {
  const char* name;
  int status;
  const char* body;
  FailureClass expected;
  std::optional<absl::Duration> until;
};
class ClassifiesBody : public ::testing::TestWithParam<Told> {};

// 2026-11-15, noon.
const absl::Time kNoon = absl::FromUnixSeconds(1'794'744'000);

TEST_P(ClassifiesBody, AsProvidersWriteIt) {
  const ProviderResult result =
      ClassifyFailure(ReadFailure(GetParam().status, GetParam().body), kNoon);

  EXPECT_EQ(result.failure, GetParam().expected);
  EXPECT_EQ(result.retry_after, GetParam().until);
}

INSTANTIATE_TEST_SUITE_P(
    , ClassifiesBody,
    ::testing::Values(
        Told{"AnthropicRateLimit", 429,
             R"({"type":"error","error":{"type":"rate_limit_error","message":"m"}})",
             FailureClass::kWait, std::nullopt},
        Told{"AnthropicSpendLimitEndsWithTheMonth", 429,
             R"({"type":"error","error":{"type":"rate_limit_error","message":"m",
                 "details":{"error_code":"enforced_spend_limit_reached"}}})",
             FailureClass::kMoney, absl::Hours(15 * 24 + 12)},
        Told{
            "AnthropicUsageLimitNamesItsEnd", 400,
            R"({"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."}})",
            FailureClass::kMoney, absl::Hours(15 * 24 + 12)},
        Told{"AnthropicBilling", 402,
             R"({"type":"error","error":{"type":"billing_error","message":"m"}})",
             FailureClass::kMoney, std::nullopt},
        Told{
            "AnthropicCredit", 400,
            R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API."}})",
            FailureClass::kMoney, std::nullopt},
        Told{"OpenAiQuota", 429,
             R"({"error":{"type":"insufficient_quota","code":"insufficient_quota"}})",
             FailureClass::kMoney, std::nullopt},
        Told{"OpenAiFlexIsBusy", 429,
             R"({"error":{"message":"Resource Unavailable","code":"resource_unavailable"}})",
             FailureClass::kWait, std::nullopt},
        Told{"OpenAiMistake", 400, R"({"error":{"type":"invalid_request_error","code":null}})",
             FailureClass::kRequest, std::nullopt},
        Told{"AnthropicPermission", 403,
             R"({"type":"error","error":{"type":"permission_error","message":"m"}})",
             FailureClass::kConfig, std::nullopt}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ReadStreamFailureTest, TakesTheKindForAStatus) {
  const auto status = [](const char* error) { return ReadStreamFailure(error).status; };

  EXPECT_EQ(status(R"({"type":"error","error":{"type":"overloaded_error"}})"), 529);
  EXPECT_EQ(status(R"({"error":{"code":"rate_limit_exceeded"}})"), 429);
  EXPECT_EQ(status(R"({"type":"error","code":"rate_limit_exceeded","message":"m"})"), 429);
  EXPECT_EQ(status(R"({"error":{"code":503,"message":"m"}})"), 503);
  EXPECT_EQ(status(R"({"error":{"code":"server_error"}})"), 500);
}

TEST(ReadFailureTest, SurvivesAnyBody) {
  for (const char* body :
       {"", "<html>", "[]", "{}", R"({"error":1})", R"({"error":{"code":{}}})"}) {
    EXPECT_EQ(ReadFailure(500, body).code, "") << body;
  }
}

TEST(RetryAfterTest, ReadsEveryFormAndTheResetOfASpentLimit) {
  const absl::Time now = absl::FromUnixSeconds(784'111'777);  // Sun, 06 Nov 1994 08:49:37 GMT.

  EXPECT_EQ(RetryAfterOf({{"Retry-After-Ms", "250"}, {"Retry-After", "9"}}, now),
            absl::Milliseconds(250));
  EXPECT_EQ(RetryAfterOf({{"Retry-After", "1.5"}}, now), absl::Seconds(1.5));
  EXPECT_EQ(RetryAfterOf({{"Retry-After", "Sun, 06 Nov 1994 08:49:47 GMT"}}, now),
            absl::Seconds(10));
  EXPECT_EQ(RetryAfterOf({{"x-ratelimit-remaining-requests", "0"},
                          {"x-ratelimit-reset-requests", "6m0s"},
                          {"x-ratelimit-remaining-tokens", "0"},
                          {"x-ratelimit-reset-tokens", "1s"}},
                         now),
            absl::Minutes(6));
  EXPECT_EQ(RetryAfterOf({{"anthropic-ratelimit-input-tokens-remaining", "0"},
                          {"anthropic-ratelimit-input-tokens-reset", "1994-11-06T08:50:37Z"}},
                         now),
            absl::Minutes(1));
  EXPECT_EQ(
      RetryAfterOf({{"x-ratelimit-remaining-requests", "5"}, {"x-ratelimit-reset-requests", "1s"}},
                   now),
      std::nullopt);
}

struct RefusedOptions {
  const char* name;
  EndpointProvider::Options options;
  const char* message;
};
class EndpointProviderRefuses : public ::testing::TestWithParam<RefusedOptions> {};

TEST_P(EndpointProviderRefuses, AtStart) {
  testkit::FakeClock clock;

  const auto made = EndpointProvider::Make(GetParam().options, clock);

  EXPECT_THAT(made, FailsWithReason("CONFIG_INVALID"));
  EXPECT_THAT(std::string(made.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    , EndpointProviderRefuses,
    ::testing::Values(RefusedOptions{"PaidWithoutConsent",
                                     {.base_url = "https://api.example.com/v1"},
                                     "allow_paid"},
                      RefusedOptions{"PublicCalledLocal",
                                     {.base_url = "https://api.example.com/v1", .local = true},
                                     "private network"},
                      RefusedOptions{"KeyInTheClear",
                                     {.base_url = "http://api.example.com/v1", .allow_paid = true},
                                     "in the clear"},
                      RefusedOptions{"NoScheme",
                                     {.base_url = "api.example.com", .allow_paid = true},
                                     "https://"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(IsPrivateHostTest, KnowsPrivateNetworks) {
  for (const char* url : {"http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]:8/v1",
                          "http://192.168.0.9/v1", "http://172.20.1.1", "http://ollama:11434/v1",
                          "http://host.docker.internal/v1"}) {
    EXPECT_TRUE(IsPrivateHost(url)) << url;
  }
  for (const char* url : {"https://api.example.com/v1", "https://8.8.8.8", "https://172.32.0.1",
                          "https://localhost@api.example.com/v1", "https://[2001:db8::1]/v1",
                          "https://127.0.0.1.example.com/v1"}) {
    EXPECT_FALSE(IsPrivateHost(url)) << url;
  }
}

class ScriptTest : public ::testing::Test {
 protected:
  absl::StatusOr<Script> Load(const std::string& text) {
    EXPECT_OK(base::WriteFileAtomic(directory_.File("script.json"), text));
    return Script::Load(directory_.File("script.json"));
  }

  testkit::TemporaryDirectory directory_;
};

TEST_F(ScriptTest, FirstRuleThatFitsWins) {
  ASSERT_OK(base::WriteFileAtomic(directory_.File("reply.txt"), "from a file"));
  ASSERT_OK_AND_ASSIGN(const Script script, Load(R"({"version":1,"rules":[
      {"intent":"plan","reply_json":{"a":1}},
      {"task":"parse","prompt_contains":["fix"],"prompt_lacks":["twice"],"reply":"fixed"},
      {"project":"p","role":"writer","reply_file":"reply.txt"}],"default_reply":"else"})"));
  ProviderCall call = {
      .role = "writer",
      .intent = "write",
      .scopes = {.project = "projects/p", .task = "projects/p/plans/n/tasks/parse"}};

  EXPECT_EQ(script.Find(call, "please fix")->reply, "fixed");
  EXPECT_EQ(script.Find(call, "please fix twice")->reply, "from a file");
  call.role = "other";
  EXPECT_EQ(script.Find(call, "please fix twice")->reply, "else");
  call.intent = "plan";
  EXPECT_EQ(nlohmann::json::parse(script.Find(call, "")->reply)["a"], 1);
}

TEST_F(ScriptTest, SaysWhatIsWrongAndWhere) {
  const std::pair<const char*, const char*> cases[] = {
      {"{", "not a JSON object"},
      {R"({"version":2,"rules":[]})", "version must be 1"},
      {R"({"version":1,"rules":[{"reply":"x"},{"replay":"x"}]})", "rules[1]"},
      {R"({"version":1,"rules":[{"reply":"x","reply_json":1}]})", "give one of"},
      {R"({"version":1,"rules":[{"reply_file":"missing"}]})", "missing"},
      {R"({"version":1,"rules":[{"reply":"x","fault":{"kind":"explode"}}]})", "explode"},
      {R"({"version":1,"rules":[{"reply":"x","latency_ms":-1}]})", "latency_ms"},
      {R"({"version":1,"rules":[{"reply":"x","usage":{"inputs":1}}]})", "inputs"},
  };
  for (const auto& [text, message] : cases) {
    const absl::StatusOr<Script> script = Load(text);
    EXPECT_THAT(script, FailsWithReason("CONFIG_INVALID")) << text;
    EXPECT_THAT(std::string(script.status().message()), HasSubstr(message)) << text;
  }
}

TEST(CallLogTest, FindsCallsAfterATornLine) {
  testkit::TemporaryDirectory directory;
  const std::string path = directory.File("calls.log");
  {
    ASSERT_OK_AND_ASSIGN(const auto log, CallLog::Open(path));
    ASSERT_OK(log->Append("a", "m", {.input = 1, .output = 2}, absl::UnixEpoch()));
  }
  ASSERT_OK_AND_ASSIGN(const std::string whole, base::ReadFile(path));
  ASSERT_OK(base::WriteFileAtomic(path, absl::StrCat(whole, R"({"call_id":"b","inp)")));

  ASSERT_OK_AND_ASSIGN(const auto log, CallLog::Open(path));
  ASSERT_OK(log->Append("c", "m", {.input = 3, .output = 4}, absl::UnixEpoch()));

  const Reconciliation a = log->Reconcile("a");
  EXPECT_EQ(a.kind, Reconciliation::Kind::kBilled);
  EXPECT_EQ(a.tokens, (TokenCounts{.input = 1, .output = 2}));
  EXPECT_EQ(log->Reconcile("b").kind, Reconciliation::Kind::kNotBilled);
  EXPECT_EQ(log->Reconcile("c").tokens, (TokenCounts{.input = 3, .output = 4}));
}

class ReplyReaderTest : public ::testing::Test {
 protected:
  static std::string Frame(const std::string& text) {
    return absl::StrCat(R"(data: {"choices":[{"index":0,"delta":{"content":")", text,
                        "\"},\"finish_reason\":null}]}\n\n");
  }
  // Takes what has come, as one text each; an end is "end".
  std::vector<std::string> Taken() {
    std::vector<std::string> taken;
    while (!inbox_.empty()) {
      const Inbox::Event event = inbox_.Next();
      const auto* const text = std::get_if<Inbox::Text>(&event);
      taken.push_back(text != nullptr ? text->text : "end");
    }
    return taken;
  }

  testkit::FakeClock clock_;
  Inbox inbox_;
  ReplyReader reader_{{.tell = ReplyReader::Tell::kBytes}, inbox_, clock_};
};

TEST_F(ReplyReaderTest, FramesThatComeTogetherGoOnTogether) {
  reader_.OnHeaders(200, {{"Content-Type", "text/event-stream"}});
  reader_.OnData(Frame("a"));
  reader_.OnData(Frame("b"));
  EXPECT_TRUE(inbox_.empty());

  reader_.OnFlush();

  EXPECT_EQ(Taken(), std::vector<std::string>({Frame("a") + Frame("b")}));
  reader_.OnData(Frame("c"));
  reader_.OnDone({.outcome = http::Outcome::kComplete, .http_status = 200});
  EXPECT_EQ(Taken(), std::vector<std::string>({Frame("c"), "end"}));
}

TEST_F(ReplyReaderTest, GathersNoMoreThanABuffer) {
  const std::string large = Frame(std::string(20'000, 'x'));
  const std::string half = Frame(std::string(9'000, 'y'));
  reader_.OnHeaders(200, {{"Content-Type", "text/event-stream"}});

  reader_.OnData(large);
  EXPECT_EQ(Taken(), std::vector<std::string>({large}));
  reader_.OnData(half);
  EXPECT_TRUE(inbox_.empty());
  reader_.OnData(half);

  EXPECT_EQ(Taken(), std::vector<std::string>({half + half}));
}

}  // namespace
}  // namespace slipway::models
