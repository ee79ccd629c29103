#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/models/testing/server_fixture.h"

namespace slipway::models {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using testkit::FailsWithReason;

// Records calls with one server and plays them with the next.
class ReplayTest : public ServerFixture {
 protected:
  static v1::GenerateRequest PlanRequest(const std::string& call_id,
                                         const std::string& prompt = "Say hello") {
    v1::GenerateRequest request = Request(call_id, "writer", prompt);
    request.mutable_scopes()->set_plan("projects/p/plans/n");
    return request;
  }

  void Record(const std::string& scope = "projects/p") {
    v1::StartRecordingRequest request;
    request.set_scope(scope);
    ASSERT_OK(rpc::CallUnary(*stub_, &Stub::StartRecording, request));
  }

  std::vector<v1::Cassette> Cassettes() {
    const auto list =
        rpc::CallUnary(*stub_, &Stub::ListCassettes, v1::ListCassettesRequest()).value();
    return {list.cassettes().begin(), list.cassettes().end()};
  }

  std::vector<std::string> ReadLines(const std::string& plan = "projects/p/plans/n") {
    v1::ReadCassetteRequest request;
    request.set_plan(plan);
    std::vector<std::string> lines;
    while (true) {
      const auto page = rpc::CallUnary(*stub_, &Stub::ReadCassette, request).value();
      lines.insert(lines.end(), page.lines().begin(), page.lines().end());
      if (page.next_page_token().empty()) return lines;
      request.set_page_token(page.next_page_token());
    }
  }

  // Writes the cassette and starts a server that has nothing else.
  void Replay() {
    const std::vector<std::string> lines = ReadLines();
    std::string file = absl::StrCat(R"({"cassette":1,"plan":"projects/p/plans/n","entries":)",
                                    lines.size(), ",\"dropped\":0}\n");
    for (const std::string& line : lines) absl::StrAppend(&file, line, "\n");
    ASSERT_OK(base::WriteFileAtomic(directory_.File("cassette.jsonl"), file));
    server_.reset();
    ASSERT_OK(base::RemoveTree(directory_.File("calls.log")));
    StartReplayer();
  }
  void StartReplayer() {
    const std::string text = absl::StrCat(
        "listen:\n  address: \"unix:", directory_.File("models.sock"),
        "\"\n  drain_timeout: 300ms\ndatabase: ", directory_.File("replay.db"),
        "\nledger_address: \"", ledger_address_,
        "\"\nproxy_address: \"unix:", directory_.File("proxy.sock"),
        "\"\nproviders:\n  - name: scripted\n    scripted:\n      cassette: ",
        directory_.File("cassette.jsonl"), "\n      call_log: ", directory_.File("calls.log"),
        "\nroutes:\n  - {role: \"*\", provider: scripted, model: small}\n");
    ASSERT_OK_AND_ASSIGN(const auto config,
                         config::Parse<config::v1::ModelsConfig>(text, "replay.yaml"));
    ASSERT_OK_AND_ASSIGN(server_, Server::Start(config, {base::RealClock(), base::RandomIds()}));
    Connect();
  }
};

TEST_F(ReplayTest, NothingIsKeptThatNobodyAskedFor) {
  StartServer();

  ASSERT_OK(Generate(PlanRequest("call-1")));

  EXPECT_THAT(Cassettes(), IsEmpty());
}

TEST_F(ReplayTest, ARecordedCallIsPlayedWithItsTextUsageAndCost) {
  StartServer();
  Record();
  ASSERT_OK_AND_ASSIGN(const Generated recorded, Generate(PlanRequest("call-1")));
  ASSERT_THAT(Cassettes(), SizeIs(1));
  const auto line = nlohmann::json::parse(ReadLines().at(0));
  EXPECT_EQ(line["cost_usd_nanos"], 90'000);
  EXPECT_GE(line["latency_us"].get<int64_t>(), 0);
  Replay();

  ASSERT_OK_AND_ASSIGN(const Generated played, Generate(PlanRequest("call-2")));

  EXPECT_EQ(played.text, recorded.text);
  EXPECT_EQ(played.outcome.cost_usd_nanos(), recorded.outcome.cost_usd_nanos());
  EXPECT_EQ(played.outcome.tokens().output(), 20);
  ASSERT_THAT(Books(), SizeIs(1));
  EXPECT_EQ(Books()[0]["output"], 20);
}

TEST_F(ReplayTest, ACallThatWasNotRecordedIsRefusedByNameAndCostsNothing) {
  StartServer();
  Record();
  ASSERT_OK(Generate(PlanRequest("call-1")));
  Replay();
  ASSERT_OK(Generate(PlanRequest("call-2", "one")));

  const absl::StatusOr<Generated> one_more = Generate(PlanRequest("call-3", "another"));

  EXPECT_THAT(one_more, FailsWithReason("PROMPT_INVALID"));
  EXPECT_THAT(std::string(one_more.status().message()),
              AllOf(HasSubstr("CASSETTE_NO_MATCH"), HasSubstr("role \"writer\"")));
  EXPECT_EQ(ledger_.AwaitEnd("call-3").reservation.state(),
            ledger::v1::Reservation::STATE_RELEASED);
  EXPECT_THAT(Books(), SizeIs(1));
}

TEST_F(ReplayTest, AReplyThatBrokeOffBreaksOffAgainAndCostsTheSame) {
  WriteScript(R"({"reply":"Hello, world","usage":{"input":10,"output":20},
                  "fault":{"kind":"drop","after_bytes":5}})");
  StartServer();
  Record();
  ASSERT_THAT(Generate(PlanRequest("call-1")), FailsWithReason("OUTCOME_UNKNOWN"));
  EXPECT_EQ(ledger_.AwaitEnd("call-1").reservation.settled().usd_nanos(), 90'000);
  Replay();

  EXPECT_THAT(Generate(PlanRequest("call-2")), FailsWithReason("OUTCOME_UNKNOWN"));

  EXPECT_EQ(ledger_.AwaitEnd("call-2").reservation.settled().usd_nanos(), 90'000);
}

TEST_F(ReplayTest, ARefusalIsPlayedAndNothingIsBilled) {
  WriteScript(R"({"fault":{"kind":"http_error","status":400}})");
  StartServer();
  Record();
  ASSERT_THAT(Generate(PlanRequest("call-1")), FailsWithReason("PROMPT_INVALID"));
  Replay();

  EXPECT_THAT(Generate(PlanRequest("call-2")), FailsWithReason("PROMPT_INVALID"));

  EXPECT_EQ(ledger_.AwaitEnd("call-2").reservation.state(),
            ledger::v1::Reservation::STATE_RELEASED);
}

TEST_F(ReplayTest, AnAgentsStreamIsPlayedByteForByte) {
  StartServer();
  Record();
  const std::string recorded = Chat(IssueKey(), "writer", R"("stream":true)").body;
  ASSERT_THAT(recorded, HasSubstr("[DONE]"));
  Replay();

  EXPECT_EQ(Chat(IssueKey(), "writer", R"("stream":true)").body, recorded);
  EXPECT_EQ(Books().at(0)["output"], 20);
}

TEST_F(ReplayTest, ACredentialOfAPromptIsNotInTheCassette) {
  StartServer();
  Record();
  // Put together here so that no scanner takes this file for a leak.
  const std::string credential = absl::StrCat("ghp", "_9aB3kLmN7qRsT2uVwX4yZ6cD8eF1gH5iJ0oP");
  ASSERT_OK(Generate(PlanRequest("call-1", absl::StrCat("Use ", credential))));

  const std::string line = ReadLines().at(0);

  EXPECT_THAT(line, Not(HasSubstr(credential)));
  EXPECT_THAT(line, HasSubstr("[redacted: github-token]"));
  Replay();
  EXPECT_OK(Generate(PlanRequest("call-2", absl::StrCat("Use ", credential))))
      << "and the same prompt is found again";
}

TEST_F(ReplayTest, AReplayerThatStartsAgainGoesOnWhereItWas) {
  StartServer();
  Record();
  WriteScript(R"({"reply":"first","prompt_contains":["one"]},
                 {"reply":"second","prompt_contains":["two"]})");
  server_.reset();
  StartServer();
  ASSERT_OK(Generate(PlanRequest("call-1", "one")));
  ASSERT_OK(Generate(PlanRequest("call-2", "two")));
  Replay();
  ASSERT_EQ(Generate(PlanRequest("call-3", "x"))->text, "first");
  server_.reset();

  StartReplayer();

  EXPECT_EQ(Generate(PlanRequest("call-4", "y"))->text, "second");
}

TEST_F(ReplayTest, AStoppedRecordingKeepsNothingMoreAndADeletedCassetteIsGone) {
  StartServer();
  Record("projects/p/plans/n");
  ASSERT_OK(Generate(PlanRequest("call-1")));
  v1::StopRecordingRequest stop;
  stop.set_scope("projects/p/plans/n");
  ASSERT_OK(rpc::CallUnary(*stub_, &Stub::StopRecording, stop));
  ASSERT_OK(Generate(PlanRequest("call-2")));
  EXPECT_THAT(ReadLines(), SizeIs(1));
  v1::DeleteCassetteRequest forget;
  forget.set_plan("projects/p/plans/n");

  ASSERT_OK(rpc::CallUnary(*stub_, &Stub::DeleteCassette, forget));

  EXPECT_THAT(Cassettes(), IsEmpty());
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::DeleteCassette, forget),
              FailsWithReason("CASSETTE_UNKNOWN"));
}

}  // namespace
}  // namespace slipway::models
