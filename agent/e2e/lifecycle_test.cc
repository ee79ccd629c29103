#include <dirent.h>

#include "agent/domain/pause.h"
#include "agent/e2e/agent_fixture.h"

namespace slipway::agent {
namespace {

using ::testing::HasSubstr;

constexpr char kReply[] =
    R"({"edits":[{"path":"greeting.txt","op":"write","content":"good morning\n"}]})";

class LifecycleTest : public AgentFixture {
 protected:
  void SetUp() override {
    AgentFixture::SetUp();
    Put("greeting.txt", "hello\n");
    commit_ = CommitAll(repository_, "base");
  }
  void OfferWork() { dispatcher_.Offer(WriteGrant(commit_), PackOf(commit_)); }
  // Starts work whose model does not answer before it is released.
  void StartHeldWork() {
    models_->Add({.text = kReply, .held = true});
    OfferWork();
    StartAgent();
    ASSERT_TRUE(dispatcher_.AwaitPhase("model"));
  }
  bool AwaitAgentLog(const std::string& text) {
    return dispatcher_.Await([&] { return absl::StrContains(AgentLog(), text); });
  }
  // For when no dispatcher runs whose messages say when to look again.
  bool PollAgentLog(const std::string& text) {
    const absl::Duration deadline = base::RealClock().Elapsed() + FakeDispatcher::kPatience;
    while (base::RealClock().Elapsed() < deadline) {
      if (absl::StrContains(AgentLog(), text)) return true;
      Pause(base::RealClock(), absl::Milliseconds(10));
    }
    return false;
  }
  std::vector<std::string> Leftovers() {
    std::vector<std::string> names;
    DIR* const directory = opendir(directory_.File("w").c_str());
    while (const dirent* const entry = directory == nullptr ? nullptr : readdir(directory)) {
      if (entry->d_name[0] != '.') names.push_back(entry->d_name);
    }
    if (directory != nullptr) closedir(directory);
    return names;
  }

  git::Oid commit_;
};

TEST_F(LifecycleTest, LeavesNoFiles) {
  models_->Add({.text = kReply});
  OfferWork();

  ASSERT_TRUE(RunToResult().has_change());

  EXPECT_THAT(Leftovers(), ::testing::IsEmpty());
}

TEST_F(LifecycleTest, SweepsWhatADeadAgentLeftAndNothingElse) {
  const std::string w = directory_.File("w");
  ASSERT_OK(base::MakeDirectories(w + "/a-dead/tree/deep", 0755));
  ASSERT_OK(base::WriteFileAtomic(w + "/a-dead.lock", ""));
  ASSERT_OK(base::MakeDirectories(w + "/a-live/tree", 0755));
  ASSERT_OK_AND_ASSIGN(const base::UniqueFd lock, base::LockFile(w + "/a-live.lock"));
  models_->Add({.text = kReply});
  OfferWork();

  ASSERT_TRUE(RunToResult().has_change());

  EXPECT_THAT(Leftovers(), ::testing::UnorderedElementsAre("a-live", "a-live.lock"));
}

TEST_F(LifecycleTest, FreezesWithoutWordFromTheDispatcherAndGoesOnAtKeep) {
  dispatcher_.Change([](auto& b) { b.lease_timeout = absl::Seconds(1); });
  dispatcher_.Offer(CheckGrant(commit_, {{"sh", "-c",
                                          "while ! [ -e stop ]; do echo tick; sleep 0.02; "
                                          "i=$((i+1)); [ $i = 200 ] && exit 0; done"}}),
                    PackOf(commit_));
  StartAgent();
  ASSERT_TRUE(dispatcher_.AwaitPhase("validate"));

  dispatcher_.Change([](auto& b) { b.answer_beats = false; });
  ASSERT_TRUE(AwaitAgentLog("the sandbox is frozen"));
  size_t beats = 0;
  ASSERT_TRUE(dispatcher_.Await([&] {
    if (beats == 0) beats = dispatcher_.beats.size();
    return dispatcher_.beats.size() >= beats + 12;
  }));
  ASSERT_TRUE(dispatcher_.Await([&] {
    // One beat may have been made before the freeze; the others saw nothing happen.
    EXPECT_EQ(dispatcher_.beats[beats + 1].activity(), dispatcher_.beats[beats + 11].activity());
    return true;
  }));
  EXPECT_TRUE(dispatcher_.results.empty());

  dispatcher_.Change([](auto& b) { b.answer_beats = true; });
  ASSERT_TRUE(dispatcher_.AwaitResult());
  EXPECT_EQ(AwaitExit(), 0);
  EXPECT_EQ(dispatcher_.results[0].evidence().outcomes(0).exit_code(), 0);
}

TEST_F(LifecycleTest, IsFrozenAndStoppedWhenTheWorkWasGivenToSomebodyElse) {
  dispatcher_.Change([](auto& b) { b.lease_timeout = absl::Milliseconds(600); });
  StartHeldWork();
  dispatcher_.Stop();
  ASSERT_TRUE(PollAgentLog("the sandbox is frozen"));

  dispatcher_.Change([](auto& b) { b.verdict = v1::GrantVerdict::VERDICT_STOP; });
  dispatcher_.Start(address());

  EXPECT_EQ(AwaitExit(), 0);
  EXPECT_TRUE(dispatcher_.results.empty());
}

TEST_F(LifecycleTest, AStopVerdictKillsAndNothingIsHandedIn) {
  StartHeldWork();

  dispatcher_.Change([](auto& b) { b.verdict = v1::GrantVerdict::VERDICT_STOP; });

  EXPECT_EQ(AwaitExit(), 0);
  EXPECT_TRUE(dispatcher_.results.empty());
  EXPECT_THAT(AgentLog(), HasSubstr("attempt lost"));
  EXPECT_THAT(Leftovers(), ::testing::IsEmpty());
}

TEST_F(LifecycleTest, SurvivesARestartOfTheDispatcherInTheMiddle) {
  StartHeldWork();

  dispatcher_.Stop();
  dispatcher_.Start(address());
  ASSERT_TRUE(dispatcher_.Await([&] { return dispatcher_.hellos.size() >= 2; }));
  models_->Release();

  ASSERT_TRUE(dispatcher_.AwaitResult());
  EXPECT_EQ(AwaitExit(), 0);
  EXPECT_TRUE(dispatcher_.results[0].has_change());
  EXPECT_EQ(dispatcher_.hellos[0].held_size(), 0);
  ASSERT_EQ(dispatcher_.hellos[1].held_size(), 1);
  EXPECT_EQ(dispatcher_.hellos[1].held(0).attempt(), kAttempt);
  EXPECT_EQ(dispatcher_.hellos[1].held(0).epoch(), 1);
  EXPECT_EQ(dispatcher_.hellos[0].boot_nonce(), dispatcher_.hellos[1].boot_nonce());
  EXPECT_FALSE(dispatcher_.log_has_gap);
  EXPECT_THAT(dispatcher_.log, HasSubstr("good morning"));
}

TEST_F(LifecycleTest, HandsInItsResultAfterTheDispatcherIsBack) {
  StartHeldWork();

  dispatcher_.Stop();
  models_->Release();
  ASSERT_TRUE(PollAgentLog("the result was not taken, trying again"));
  dispatcher_.Start(address());

  ASSERT_TRUE(dispatcher_.AwaitResult());
  EXPECT_EQ(AwaitExit(), 0);
  EXPECT_TRUE(dispatcher_.results[0].has_change());
}

TEST_F(LifecycleTest, RepeatsAResultUntilThereIsAReceipt) {
  dispatcher_.Change([](auto& b) { b.refused_submits = 3; });
  models_->Add({.text = kReply});
  OfferWork();

  EXPECT_TRUE(RunToResult().has_change());
}

TEST_F(LifecycleTest, AStaleReceiptEndsTheAttemptQuietly) {
  dispatcher_.Change([](auto& b) { b.receipt = v1::SubmitResultResponse::RECEIPT_STALE; });
  models_->Add({.text = kReply});
  OfferWork();

  EXPECT_TRUE(RunToResult().has_change());
  EXPECT_EQ(dispatcher_.results.size(), 1u);
  EXPECT_THAT(AgentLog(), HasSubstr("the result was stale"));
}

TEST_F(LifecycleTest, AnAttemptOutOfTimeIsKilled) {
  models_->Add({.text = kReply, .hang = true});
  v1::Grant grant = WriteGrant(commit_);
  grant.mutable_attempt_timeout()->set_seconds(1);
  dispatcher_.Offer(grant, PackOf(commit_));

  const v1::SubmitResultRequest result = RunToResult();

  EXPECT_EQ(result.failure().class_(), v1::Failure::CLASS_TIMEOUT);
  EXPECT_EQ(result.failure().reason(), "ATTEMPT_TIMEOUT");
}

TEST_F(LifecycleTest, ATerminatedAgentReportsThatItWasTold) {
  StartHeldWork();

  agent_->Signal(SIGTERM);

  ASSERT_TRUE(dispatcher_.AwaitResult());
  EXPECT_EQ(AwaitExit(), 0);
  ASSERT_TRUE(dispatcher_.results[0].has_stop());
  EXPECT_EQ(dispatcher_.results[0].stop().reason(), v1::Stop::REASON_TOLD);
}

TEST_F(LifecycleTest, AnIdleAgentEndsAtGoodbyeAndAtATerminationSignal) {
  StartAgent();
  ASSERT_TRUE(dispatcher_.Await([&] { return !dispatcher_.beats.empty(); }));
  dispatcher_.SayGoodbye();
  EXPECT_EQ(AwaitExit(), 0);

  StartAgent();
  ASSERT_TRUE(dispatcher_.Await([&] { return dispatcher_.hellos.size() == 2; }));
  agent_->Signal(SIGTERM);
  EXPECT_EQ(AwaitExit(), 0);
}

TEST_F(LifecycleTest, WorksOnOneGrantAtATimeAndOnSeveralInTurn) {
  models_->Add({.text = kReply, .held = true});
  OfferWork();
  StartAgent("attempts_max: 2\n");
  ASSERT_TRUE(dispatcher_.AwaitPhase("model"));

  v1::Grant second = WriteGrant(commit_);
  second.set_epoch(2);
  dispatcher_.Offer(second, PackOf(commit_));
  ASSERT_TRUE(dispatcher_.Await([&] { return dispatcher_.answers.size() == 2; }));
  EXPECT_FALSE(dispatcher_.answers[1].accepted());
  EXPECT_THAT(dispatcher_.answers[1].reason(), HasSubstr("BUSY"));

  models_->Release();
  ASSERT_TRUE(dispatcher_.AwaitResult());
  ASSERT_TRUE(dispatcher_.Await([&] { return dispatcher_.beats.back().phase() == "idle"; }));
  dispatcher_.Offer(second, PackOf(commit_));
  ASSERT_TRUE(dispatcher_.Await([&] { return dispatcher_.results.size() == 2; }));
  EXPECT_EQ(AwaitExit(), 0);
  EXPECT_EQ(dispatcher_.results[1].epoch(), 2);
}

TEST_F(LifecycleTest, TakesTheNextGrantWithItsReceiptAndWithoutABeat) {
  dispatcher_.Change([](auto& b) { b.beat_interval = absl::Minutes(5); });
  models_->Add({.text = kReply});
  models_->Add({.text = kReply});
  OfferWork();
  v1::Grant second = WriteGrant(commit_);
  second.set_epoch(2);
  dispatcher_.OfferNext(second);
  StartAgent("attempts_max: 2\n");

  ASSERT_TRUE(dispatcher_.Await([&] { return dispatcher_.results.size() == 2; }));
  EXPECT_EQ(AwaitExit(), 0);

  EXPECT_EQ(dispatcher_.results[1].epoch(), 2);
  EXPECT_EQ(dispatcher_.reports, 2);
  ASSERT_EQ(dispatcher_.answers.size(), 2u);
  EXPECT_TRUE(dispatcher_.answers[1].accepted()) << dispatcher_.answers[1].reason();
}

TEST_F(LifecycleTest, BeatsAsOftenAsItIsToldWithAGrantAndWithout) {
  dispatcher_.Change([](auto& b) {
    b.beat_interval = absl::Milliseconds(10);
    b.idle_beat_interval = absl::Minutes(5);
  });
  models_->Add({.text = kReply, .held = true});
  StartAgent();
  ASSERT_TRUE(dispatcher_.Await([&] { return !dispatcher_.beats.empty(); }));
  OfferWork();
  int with_grant = 0;
  int without = 0;
  ASSERT_TRUE(dispatcher_.Await([&] {
    with_grant = without = 0;
    for (const v1::Beat& beat : dispatcher_.beats) ++(beat.held_size() == 1 ? with_grant : without);
    return with_grant >= 10;
  }));
  EXPECT_EQ(without, 1) << "the first, which nothing followed";

  models_->Release();
  ASSERT_TRUE(dispatcher_.AwaitResult());
  EXPECT_EQ(AwaitExit(), 0);
}

TEST_F(LifecycleTest, WithAnOlderDispatcherItHandsInByCallsAndBeatsAtOnce) {
  dispatcher_.Change([](auto& b) {
    b.protocol = 1;
    b.beat_interval = absl::Minutes(5);
  });
  models_->Add({.text = kReply});
  models_->Add({.text = kReply});
  OfferWork();
  StartAgent("attempts_max: 2\n");
  ASSERT_TRUE(dispatcher_.AwaitResult());
  ASSERT_TRUE(dispatcher_.Await([&] { return dispatcher_.beats.back().phase() == "idle"; }));

  v1::Grant second = WriteGrant(commit_);
  second.set_epoch(2);
  dispatcher_.Offer(second, PackOf(commit_));

  ASSERT_TRUE(dispatcher_.Await([&] { return dispatcher_.results.size() == 2; }));
  EXPECT_EQ(AwaitExit(), 0);
  EXPECT_EQ(dispatcher_.reports, 0);
}

TEST_F(LifecycleTest, AnUnknownBackendIsRefused) {
  v1::Grant grant = WriteGrant(commit_);
  grant.mutable_write_change()->set_backend("magic");
  dispatcher_.Offer(grant, PackOf(commit_));
  StartAgent();

  ASSERT_TRUE(dispatcher_.Await([&] { return !dispatcher_.answers.empty(); }));

  EXPECT_FALSE(dispatcher_.answers[0].accepted());
  EXPECT_THAT(dispatcher_.answers[0].reason(), HasSubstr("magic"));
}

TEST_F(LifecycleTest, BadConfigurationIsNamed) {
  ASSERT_OK(base::WriteFileAtomic(directory_.File("bad.yaml"), "dispatcher_adress: x\n"));
  ASSERT_OK_AND_ASSIGN(
      const base::CommandResult unknown,
      base::RunCommand({.argv = {SLIPWAY_AGENT_PROGRAM, "--config", directory_.File("bad.yaml")},
                        .inherit_env = true},
                       absl::Seconds(20)));
  EXPECT_EQ(unknown.exit.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("bad.yaml:1:1"));

  ASSERT_OK(base::WriteFileAtomic(directory_.File("ok.yaml"),
                                  "dispatcher_address: unix:/x\nworkspace_directory: /x\n"));
  ASSERT_OK_AND_ASSIGN(
      const base::CommandResult nameless,
      base::RunCommand({.argv = {SLIPWAY_AGENT_PROGRAM, "--config", directory_.File("ok.yaml")},
                        .inherit_env = true},
                       absl::Seconds(20)));
  EXPECT_EQ(nameless.exit.code, 2);
  EXPECT_THAT(nameless.err, HasSubstr("IDENTITY_MISSING"));
}

}  // namespace
}  // namespace slipway::agent
