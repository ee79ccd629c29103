#include "services/models/cassette/cassette.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/id_generator.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "services/models/cassette/cassette_player.h"
#include "services/models/cassette/recorder.h"
#include "services/models/domain/limits.h"
#include "services/models/storage/sqlite_cassette_store.h"
#include "services/models/storage/sqlite_store.h"
#include "services/models/wire/request_reader.h"

namespace slipway::models {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using testkit::FailsWithReason;

constexpr char kPlan[] = "projects/p/plans/2026-11-21-n";

// Put together here so that no scanner takes this file for a leak.
std::string Credential() { return absl::StrCat("ghp", "_9aB3kLmN7qRsT2uVwX4yZ6cD8eF1gH5iJ0oP"); }

CassetteEntry Entry(const std::string& call, const std::string& prompt, const std::string& reply,
                    int64_t at = 0) {
  CassetteEntry entry = {.call = call,
                         .start_time = absl::FromUnixSeconds(at),
                         .scopes = {.plan = kPlan,
                                    .task = absl::StrCat(kPlan, "/tasks/parse"),
                                    .role = "simple_builder"},
                         .intent = "write",
                         .provider = "scripted",
                         .model = "small",
                         .service_tier = "default",
                         .output_tokens_max = 100,
                         .messages = {{Speaker::kUser, prompt}},
                         .reply = reply,
                         .result = {.kind = ProviderResult::Kind::kComplete,
                                    .tokens = TokenCounts{.input = 7, .output = 3},
                                    .finish_reason = "stop"},
                         .first_text_after = absl::Milliseconds(2),
                         .latency = absl::Milliseconds(5)};
  Redactor().Redact(entry);
  return entry;
}

ProviderCall Call(const std::string& id, const std::string& prompt) {
  return {.id = id,
          .role = "simple_builder",
          .intent = "write",
          .scopes = {.plan = "projects/p/plans/2026-12-01-again",
                     .task = "projects/p/plans/2026-12-01-again/tasks/parse"},
          .model = "small",
          .messages = {{Speaker::kUser, prompt}}};
}

CassettePlayer Player(std::vector<CassetteEntry> entries) {
  return CassettePlayer(Cassette(std::move(entries)));
}

TEST(CassetteEntryTest, ALineKeepsAllThatACallWas) {
  CassetteEntry entry = Entry("call-1~2", "say\nhello", "hello \"you\"", 12);
  entry.dialect = Dialect::kMessages;
  entry.stream = true;
  entry.body = R"({"model":"simple_builder"})";
  entry.result = {.kind = ProviderResult::Kind::kFailed,
                  .failure = FailureClass::kWait,
                  .proof = Proof::kUpstreamErrorBeforeOutput,
                  .reason = "RATE_LIMITED",
                  .detail = "later",
                  .whole_provider = true,
                  .retry_after = absl::Milliseconds(1'500)};
  entry.billed = TokenCounts{.input = 1, .cache_read = 2, .output = 3, .reasoning = 1};
  entry.cost_usd_nanos = 42;

  ASSERT_OK_AND_ASSIGN(const CassetteEntry read, EntryFromJson(EntryToJson(entry)));

  EXPECT_EQ(EntryToJson(read), EntryToJson(entry));
  EXPECT_EQ(read.start_time, entry.start_time);
  EXPECT_EQ(read.result.retry_after, entry.result.retry_after);
  EXPECT_EQ(read.billed, entry.billed);
  EXPECT_EQ(read.messages[0].text, "say\nhello");
}

TEST(CassetteEntryTest, ALineThatIsNoCallIsRefusedByName) {
  for (const char* const line : {"", "[]", "{}", R"({"call":1})", R"({"call":"c","plan":"p"})"}) {
    EXPECT_THAT(EntryFromJson(line), FailsWithReason("CONFIG_INVALID")) << line;
  }
}

TEST(RedactorTest, PromptsRepliesAndKeysOfThisServiceLoseTheirCredentials) {
  CassetteEntry entry =
      Entry("call-1", absl::StrCat("use ", Credential()),
            absl::StrCat("I use ", Credential(), " and house-key-9 and slpk_aB3_x"));
  const Redactor redactor({"house-key-9"});

  redactor.Redact(entry);

  EXPECT_EQ(entry.messages[0].text, "use [redacted: github-token]");
  EXPECT_EQ(entry.reply,
            "I use [redacted: github-token] and [redacted: key] and [redacted: attempt key]");
  EXPECT_THAT(EntryToJson(entry), Not(HasSubstr(Credential())));
  EXPECT_GE(entry.redactions, 3);
}

TEST(RedactorTest, AQuotedCredentialInsideABodyGoesAndTheBodyStaysJson) {
  CassetteEntry entry = Entry("call-1", "", "");
  entry.dialect = Dialect::kChat;
  entry.body = absl::StrCat(R"({"model":"m","messages":[{"role":"user","content":"api_key = \")",
                            "Zk8q2mV9xB4nW1cD8sRtYuIo", R"(\""}]})");

  Redactor().Redact(entry);

  EXPECT_EQ(entry.body, R"({"model":"m","messages":[{"role":"user","content":"api_key = )"
                        R"(\"[redacted: generic-secret]\""}]})");
}

TEST(RedactorTest, ACredentialScatteredOverTheFramesOfAStreamLeavesTheTextOnly) {
  CassetteEntry entry = Entry("call-1", "", "");
  entry.dialect = Dialect::kChat;
  entry.stream = true;
  entry.reply.clear();
  const std::string said = absl::StrCat("it is ", Credential(), " now");
  for (size_t i = 0; i < said.size(); i += 5) {
    absl::StrAppend(&entry.reply, R"(data: {"choices":[{"index":0,"delta":{"content":")",
                    said.substr(i, 5), "\"}}]}\n\n");
  }
  ASSERT_THAT(entry.reply, Not(HasSubstr(Credential())));

  Redactor().Redact(entry);

  EXPECT_TRUE(entry.text_only);
  EXPECT_EQ(entry.reply, "it is [redacted: github-token] now");
}

TEST(RedactorTest, AStreamWithoutCredentialsKeepsItsBytes) {
  CassetteEntry entry = Entry("call-1", "", "");
  entry.dialect = Dialect::kChat;
  entry.stream = true;
  entry.reply = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n";
  const std::string before = entry.reply;

  Redactor().Redact(entry);

  EXPECT_FALSE(entry.text_only);
  EXPECT_EQ(entry.reply, before);
}

TEST(CassettePlayerTest, CallsOfOneKindArePlayedInTheOrderInWhichTheyBegan) {
  CassettePlayer player = Player({Entry("c2", "b", "second", 2), Entry("c1", "a", "first", 1)});

  EXPECT_EQ(player.entry(*player.Choose(Call("x1", "other"))).reply, "first");
  EXPECT_EQ(player.entry(*player.Choose(Call("x2", "another"))).reply, "second");
  EXPECT_EQ(player.Choose(Call("x3", "one more")), std::nullopt);
  EXPECT_THAT(player.Missing(Call("x3", "one more")),
              AllOf(HasSubstr("2 calls"), HasSubstr("intent \"write\""),
                    HasSubstr("task \"parse\""), HasSubstr("role \"simple_builder\"")));
}

TEST(CassettePlayerTest, WhatWasAskedTheSameGoesBeforeTheOrder) {
  CassettePlayer player = Player({Entry("c1", "a", "first", 1), Entry("c2", "b", "second", 2)});

  EXPECT_EQ(player.entry(*player.Choose(Call("x1", "b"))).reply, "second");
  EXPECT_EQ(player.entry(*player.Choose(Call("x2", "a"))).reply, "first");
}

TEST(CassettePlayerTest, ThePromptOfAnotherPlanOfTheSameKindIsTheSame) {
  CassettePlayer player =
      Player({Entry("c1", "other", "first", 1), Entry("c2", "plan 2026-11-21-n", "second", 2)});

  EXPECT_EQ(player.entry(*player.Choose(Call("x1", "plan 2026-12-01-again"))).reply, "second");
}

TEST(CassettePlayerTest, ARepeatGetsTheSameAnswerAndSoDoesAnotherCallThatAsksTheSame) {
  CassettePlayer player = Player({Entry("c1", "a", "first", 1), Entry("c2", "b", "second", 2)});
  const auto first = player.Choose(Call("x1", "a"));

  EXPECT_EQ(player.Choose(Call("x1", "a")), first);
  EXPECT_EQ(player.Choose(Call("x9", "a")), first) << "as after a crash";
  EXPECT_EQ(player.entry(*player.Choose(Call("x2", "b"))).reply, "second");
}

TEST(CassettePlayerTest, EachPlanThatPlaysBeginsAtTheBeginning) {
  CassettePlayer player = Player({Entry("c1", "a", "first", 1)});
  ASSERT_TRUE(player.Choose(Call("x1", "z")).has_value());
  ProviderCall call = Call("x2", "y");
  call.scopes.plan = "projects/p/plans/2026-12-02-third";

  EXPECT_TRUE(player.Choose(call).has_value());
}

TEST(CassettePlayerTest, AnotherTaskRoleIntentOrDialectIsNotAnswered) {
  CassettePlayer player = Player({Entry("c1", "a", "first", 1)});
  ProviderCall task = Call("x1", "a"), role = task, intent = task, dialect = task;
  task.scopes.task += "-two";
  role.role = "general_builder";
  intent.intent = "judge";
  ASSERT_OK_AND_ASSIGN(
      WireRequest wire,
      ReadWireRequest(Dialect::kChat,
                      R"({"model":"m","messages":[{"role":"user","content":"a"}]})"));
  dialect.wire = std::make_shared<const WireRequest>(std::move(wire));

  for (const ProviderCall& call : {task, role, intent, dialect}) {
    EXPECT_EQ(player.Choose(call), std::nullopt);
  }
}

TEST(CassettePlayerTest, WhatWasPlayedBeforeARestartIsNotPlayedAgain) {
  CassettePlayer player = Player({Entry("c1", "a", "first", 1), Entry("c2", "b", "second", 2)});

  player.Restore(Call("x1", "").scopes.plan, "x1", 0);

  EXPECT_EQ(player.entry(*player.Choose(Call("x1", "z"))).reply, "first");
  EXPECT_EQ(player.entry(*player.Choose(Call("x2", "z"))).reply, "second");
}

TEST(CassetteTest, AFileThatIsNotWholeIsRefused) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.File("c.jsonl");
  const std::string line = EntryToJson(Entry("c1", "a", "first", 1));
  const auto load = [&](const std::string& text) {
    EXPECT_OK(base::WriteFileAtomic(path, text));
    return Cassette::Load(path);
  };
  const std::string header = HeaderToJson({.plan = kPlan, .entries = 1});

  ASSERT_OK_AND_ASSIGN(const Cassette whole, load(absl::StrCat(header, "\n", line, "\n")));
  EXPECT_THAT(whole.entries(), SizeIs(1));
  EXPECT_THAT(load(absl::StrCat(header, "\n")), FailsWithReason("CONFIG_INVALID"));
  EXPECT_THAT(load(line), FailsWithReason("CONFIG_INVALID"));
  EXPECT_THAT(load(absl::StrCat(header, "\n", line.substr(0, 40), "\n")),
              FailsWithReason("CONFIG_INVALID"));
  EXPECT_THAT(Cassette::Load(directory.File("none")), FailsWithReason("CONFIG_INVALID"));
}

class RecorderTest : public ::testing::Test {
 protected:
  std::unique_ptr<Recorder> Make(CassetteStore::Bounds bounds,
                                 std::set<std::string> projects = {}) {
    return Recorder::Load({.projects = std::move(projects), .bounds = bounds}, cassettes_, clock_)
        .value();
  }

  static constexpr CassetteStore::Bounds kAmple = {
      .entries = 100, .bytes = 100'000'000, .total_bytes = 100'000'000};

  testkit::FakeClock clock_{absl::FromUnixSeconds(1'000)};
  base::IdGenerator& ids_ = base::RandomIds();
  std::unique_ptr<SqliteStore> store_ = SqliteStore::Open(":memory:", clock_, ids_).value();
  SqliteCassetteStore cassettes_{store_->database()};
};

TEST_F(RecorderTest, WhatIsRecordedIsAskedForByPlanProjectOrConfiguration) {
  const auto recorder = Make(kAmple, {"projects/always"});
  const Scopes plan = {.project = "projects/p", .plan = kPlan};

  EXPECT_FALSE(recorder->Wants(plan));
  EXPECT_TRUE(recorder->Wants({.project = "projects/always", .plan = "projects/always/plans/x"}));
  EXPECT_FALSE(recorder->Wants({.project = "projects/always"})) << "it belongs to no plan";
  ASSERT_OK(recorder->Start("projects/p", "someone"));
  EXPECT_TRUE(recorder->Wants(plan));
  EXPECT_TRUE(Make(kAmple)->Wants(plan)) << "after a restart, too";
  ASSERT_OK(recorder->Stop("projects/p"));
  EXPECT_FALSE(recorder->Wants(plan));
  EXPECT_THAT(recorder->Stop("projects/p"), FailsWithReason("RECORDING_UNKNOWN"));
  EXPECT_THAT(recorder->Start(absl::StrCat(kPlan, "/tasks/parse"), ""),
              FailsWithReason("SCOPE_INVALID"));
  EXPECT_TRUE(Make(kAmple, {"*"})->Wants(plan));
}

TEST_F(RecorderTest, ACassetteThatIsFullCountsWhatItDoesNotKeep) {
  const auto recorder = Make({.entries = 2, .bytes = 100'000'000, .total_bytes = 100'000'000});

  for (const char* const call : {"c1", "c2", "c3"}) recorder->Record(Entry(call, "a", "b"));

  ASSERT_OK_AND_ASSIGN(const auto summary, cassettes_.Find(kPlan));
  EXPECT_EQ(summary->entries, 2);
  EXPECT_EQ(summary->dropped, 1);
}

TEST_F(RecorderTest, BytesOfOneCassetteAndOfAllAreBounded) {
  const auto size = static_cast<int64_t>(EntryToJson(Entry("c1", "a", "b")).size());
  const auto one = Make({.entries = 100, .bytes = 2 * size, .total_bytes = 100'000'000});
  for (const char* const call : {"c1", "c2", "c3"}) one->Record(Entry(call, "a", "b"));
  EXPECT_EQ(cassettes_.Find(kPlan).value()->bytes, 2 * size);

  const auto all = Make({.entries = 100, .bytes = 100'000'000, .total_bytes = 2 * size + 10});
  CassetteEntry other = Entry("c4", "a", "b");
  other.scopes.plan = "projects/p/plans/other";
  all->Record(other);

  EXPECT_EQ(cassettes_.Find(other.scopes.plan).value()->entries, 0);
  EXPECT_EQ(cassettes_.Find(other.scopes.plan).value()->dropped, 1);
}

TEST_F(RecorderTest, ALargeRequestIsLeftOutAndALargeReplyDropsTheCall) {
  const auto recorder = Make(kAmple);
  const std::string large(kCassetteEntryBytesMax, 'x');

  recorder->Record(Entry("c1", large, "small"));
  recorder->Record(Entry("c2", "small", large));

  ASSERT_OK_AND_ASSIGN(const auto kept, cassettes_.Read(kPlan, 0, 10));
  ASSERT_THAT(kept, SizeIs(1));
  ASSERT_OK_AND_ASSIGN(const CassetteEntry entry, EntryFromJson(kept[0].line));
  EXPECT_TRUE(entry.request_omitted);
  EXPECT_THAT(entry.messages, IsEmpty());
  EXPECT_EQ(entry.reply, "small");
  EXPECT_EQ(entry.prompt_digest, Entry("c1", large, "small").prompt_digest);
  EXPECT_EQ(cassettes_.Find(kPlan).value()->dropped, 1);
}

TEST_F(RecorderTest, ARepeatedTryReplacesWhatWasKeptOfIt) {
  const auto recorder = Make(kAmple);

  recorder->Record(Entry("c1", "a", "refused"));
  recorder->Record(Entry("c1", "a", "served"));

  ASSERT_OK_AND_ASSIGN(const auto kept, cassettes_.Read(kPlan, 0, 10));
  ASSERT_THAT(kept, SizeIs(1));
  EXPECT_THAT(kept[0].line, HasSubstr("served"));
  const auto summary = *cassettes_.Find(kPlan);
  EXPECT_EQ(summary->entries, 1);
  EXPECT_EQ(summary->bytes, static_cast<int64_t>(kept[0].line.size()));
}

TEST_F(RecorderTest, OldCassettesGoAndDeletedOnesToo) {
  const auto recorder = Make(kAmple);
  recorder->Record(Entry("c1", "a", "b", 100));
  CassetteEntry late = Entry("c2", "a", "b", 200);
  late.scopes.plan = "projects/p/plans/late";
  recorder->Record(late);

  ASSERT_OK(cassettes_.PruneCassettes(absl::FromUnixSeconds(150)));

  ASSERT_OK_AND_ASSIGN(const auto left, cassettes_.List(10));
  ASSERT_THAT(left, SizeIs(1));
  EXPECT_EQ(left[0].plan, late.scopes.plan);
  EXPECT_THAT(cassettes_.Read(kPlan, 0, 10).value(), IsEmpty());
  EXPECT_TRUE(cassettes_.Remove(late.scopes.plan).value());
  EXPECT_FALSE(cassettes_.Remove(late.scopes.plan).value());
}

}  // namespace
}  // namespace slipway::models
