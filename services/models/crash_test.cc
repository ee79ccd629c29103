#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <thread>

#include "lib/base/process.h"
#include "lib/sqlite/database.h"
#include "services/models/testing/held_database.h"
#include "services/models/testing/server_fixture.h"

namespace slipway::models {
namespace {

using ledger::v1::Reservation;
using ::testing::SizeIs;
using testkit::FailsWithReason;

// Kills the real program in the middle of a call and looks what the next instance makes of it.
class CrashTest : public ServerFixture {
 protected:
  void SetUp() override {
    ASSERT_NE(program_, nullptr) << "set SLIPWAY_MODELS_BINARY to the program";
    ServerFixture::SetUp();
  }

  void StartProgram() {
    ASSERT_OK(base::WriteFileAtomic(directory_.File("models.yaml"), ConfigText()));
    ASSERT_OK_AND_ASSIGN(
        auto process,
        base::Process::Spawn(
            {.argv = {program_, "--config", directory_.File("models.yaml")}, .inherit_env = true}));
    process_ = std::make_unique<base::Process>(std::move(process));
    Connect();
    ASSERT_OK(rpc::CallUnary(*stub_, &Stub::ListRoutes, v1::ListRoutesRequest(),
                             {.timeout = absl::Seconds(20), .wait_for_ready = true}));
  }

  void Kill() {
    process_->Signal(SIGKILL);
    ASSERT_OK(process_->Wait(absl::Seconds(10)));
  }

  // Begins a call and kills the program once text has come.
  void KillInMidReply(const std::string& call_id, const std::string& role) {
    grpc::ClientContext context;
    const auto reader = stub_->Generate(&context, Request(call_id, role));
    v1::GenerateResponse response;
    ASSERT_TRUE(reader->Read(&response));
    Kill();
    reader->Finish();
  }

  const char* const program_ = std::getenv("SLIPWAY_MODELS_BINARY");
  std::unique_ptr<base::Process> process_;
};

TEST_F(CrashTest, CallIsSettledExactlyByTheProvidersBooks) {
  WriteScript(R"({"reply":"Hello, world","usage":{"input":10,"output":20},
                  "fault":{"kind":"hang","after_bytes":5}})");
  StartProgram();
  KillInMidReply("call-1", "writer");
  EXPECT_EQ(ledger_.entries().at("call-1").reservation.state(), Reservation::STATE_HELD);

  StartServer();

  const FakeLedger::Entry entry = ledger_.AwaitEnd("call-1");
  EXPECT_EQ(entry.reservation.settled().usd_nanos(), 90'000);
  ASSERT_THAT(Books(), SizeIs(1));
  EXPECT_EQ(entry.settle.tokens().input(), Books()[0]["input"].get<int64_t>());
  EXPECT_EQ(entry.settle.tokens().output(), Books()[0]["output"].get<int64_t>());
  ledger_.AwaitClosedOwners(1);
  EXPECT_EQ(ledger_.closed_owners()[0], entry.request.owner());
  EXPECT_EQ(Calls()[0].outcome(), "INCOMPLETE");
  EXPECT_THAT(Generate(Request("call-1", "writer")), FailsWithReason("OUTCOME_UNKNOWN"));
  EXPECT_THAT(Books(), SizeIs(1));
}

TEST_F(CrashTest, CallThatWasNotBilledIsReleasedAndMayBeRepeated) {
  WriteScript(R"({"reply":"late","latency_ms":3600000})");
  StartProgram();
  grpc::ClientContext context;
  const auto reader = stub_->Generate(&context, Request("call-1", "writer"));
  ledger_.AwaitHeld("call-1");
  Kill();
  reader->Finish();
  WriteScript(R"({"reply":"in time"})");

  StartServer();

  EXPECT_EQ(ledger_.AwaitEnd("call-1").reservation.state(), Reservation::STATE_RELEASED);
  ASSERT_OK_AND_ASSIGN(const Generated generated, Generate(Request("call-1", "writer")));
  EXPECT_EQ(generated.text, "in time");
  EXPECT_THAT(Books(), SizeIs(1));
}

TEST_F(CrashTest, CallOfAProviderWithoutBooksIsChargedTheHold) {
  endpoint_.Then(endpoint_.Hang({FakeEndpoint::Text("part")}));
  StartProgram();
  KillInMidReply("call-1", "chat");

  StartServer();

  const FakeLedger::Entry entry = ledger_.AwaitEnd("call-1");
  EXPECT_TRUE(entry.settle.outcome_unknown());
  EXPECT_EQ(entry.reservation.settled().usd_nanos(), entry.reservation.held().usd_nanos());
}

TEST_F(CrashTest, AHoldThatWasTakenBeforeItsCallWasRecordedIsReleased) {
  StartProgram();
  const std::string key = IssueKey();
  ASSERT_EQ(Chat(key, "writer").result.http_status, 200);
  ledger_.AwaitEnd(ledger_.AwaitCall(1));
  std::string call;
  {
    const HeldDatabase no_writes(directory_.File("models.db"));
    const auto agent = client_.Start(ChatRequest(key, "chat"), {});
    call = ledger_.AwaitCall(2);
    Kill();
  }

  StartServer();

  ledger_.AwaitClosedOwners(1);  // Which is after its releases.
  const FakeLedger::Entry entry = ledger_.entries().at(call);
  EXPECT_EQ(entry.reservation.state(), Reservation::STATE_RELEASED);
  EXPECT_EQ(entry.release.proof(), ledger::v1::ReleaseRequest::PROOF_NOT_SENT);
  EXPECT_THAT(Calls(), SizeIs(1));
  EXPECT_THAT(endpoint_.requests(), ::testing::IsEmpty());
}

TEST_F(CrashTest, ACallThatWaitedForTheLedgerIsReleasedWithoutBooks) {
  StartProgram();
  ledger_.SetSilent(true);
  grpc::ClientContext context;
  const auto reader = stub_->Generate(&context, Request("call-1", "chat"));
  ledger_.AwaitHeld("call-1");
  // Recorded is what others may read.
  while (Calls().empty()) {
  }
  Kill();
  reader->Finish();
  ledger_.SetSilent(false);

  StartServer();

  EXPECT_EQ(ledger_.AwaitEnd("call-1").reservation.state(), Reservation::STATE_RELEASED);
  EXPECT_EQ(Calls()[0].outcome(), "FAILED");
}

// What the disk has after a power failure that came before the end of a call was synced: the files
// as they were while it was under way, and another boot.
TEST_F(CrashTest, TheLedgersWordStandsWhereAPowerFailureTookTheEndOfACall) {
  testkit::TemporaryDirectory disk;
  const auto copy = [](const std::string& from, const std::string& to) {
    for (const char* file : {"/models.db", "/models.db-wal"}) {
      ASSERT_OK_AND_ASSIGN(const std::string bytes, base::ReadFile(from + file));
      ASSERT_OK(base::WriteFileAtomic(to + file, bytes));
    }
  };
  StartProgram();
  const std::string key = IssueKey();
  base::Mutex mutex;
  base::CondVar changed;
  FakeEndpoint::Writer upstream;
  endpoint_.Then([&](const FakeEndpoint::Writer& writer) {
    base::MutexLock lock(mutex);
    upstream = writer;
    changed.NotifyAll();
  });
  std::thread agent([&] { Chat(key, "chat", R"("stream":true)"); });
  {
    base::MutexLock lock(mutex);
    while (upstream == nullptr) changed.Wait(mutex);
  }
  copy(directory_.path(), disk.path());
  FakeEndpoint::Stream({FakeEndpoint::Text("Hello"), FakeEndpoint::Stop(),
                        FakeEndpoint::Usage(10, 0, 20), FakeEndpoint::Done()})(upstream);
  agent.join();
  const std::string call = ledger_.entries().begin()->first;
  EXPECT_EQ(ledger_.AwaitEnd(call).reservation.settled().usd_nanos(), 90'000);
  Kill();
  copy(disk.path(), directory_.path());
  ASSERT_OK(base::WriteFileAtomic(directory_.File("models.db-shm"), ""));
  {
    ASSERT_OK_AND_ASSIGN(const auto database, sqlite::Database::Open(directory_.File("models.db")));
    constexpr sqlite::Sql kOtherBoot = "UPDATE owner SET boot='earlier'";
    ASSERT_OK(database->Write(
        [&](sqlite::Transaction& transaction) { return transaction.Execute(kOtherBoot); }));
  }

  StartServer();

  ledger_.AwaitClosedOwners(1);
  EXPECT_EQ(ledger_.entries().at(call).reservation.settled().usd_nanos(), 90'000);
  EXPECT_FALSE(ledger_.entries().at(call).settle.outcome_unknown());
  ASSERT_THAT(Calls(), SizeIs(1));
  EXPECT_EQ(Calls()[0].reason(), "INSTANCE_GONE");
  EXPECT_EQ(Calls()[0].cost_usd_nanos(), 90'000);
}

TEST_F(CrashTest, KeysSurvive) {
  StartProgram();
  const std::string key = IssueKey();
  Kill();

  StartServer();

  EXPECT_EQ(Chat(key, "writer").result.http_status, 200);
}

TEST_F(CrashTest, EndsWithCodeZeroWhenAskedTo) {
  StartProgram();

  process_->Signal(SIGTERM);

  ASSERT_OK_AND_ASSIGN(const base::ProcessExit exit, process_->Wait(absl::Seconds(20)));
  EXPECT_TRUE(exit.ok());
}

}  // namespace
}  // namespace slipway::models
