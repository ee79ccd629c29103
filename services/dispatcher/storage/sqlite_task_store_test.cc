#include "services/dispatcher/storage/sqlite_task_store.h"

#include <gmock/gmock.h>
#include <sqlite3.h>

#include "lib/base/status_macros.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "lib/testkit/temporary_directory.h"
#include "services/dispatcher/storage/schema.h"
#include "services/dispatcher/storage/task_json.h"

namespace slipway::dispatcher {
namespace {

constexpr char kPlan[] = "projects/p/plans/n";

class SqliteTaskStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteTaskStore> Open() {
    return SqliteTaskStore::Open(directory_.File("dispatcher.db"), clock_, ids_).value();
  }

  // RunQueued commits.
  std::unique_ptr<SqliteTaskStore> OpenWithoutThreads() {
    return SqliteTaskStore::Open(SqliteTaskStore::Options{.path = directory_.File("dispatcher.db"),
                                                          .own_thread = false},
                                 clock_, ids_)
        .value();
  }

  static Task ATask() {
    Task task{.key = {.plan = kPlan, .id = "a"},
              .spec = {.id = "a", .title = "A", .depends_on = {"b"}, .role = "builder"},
              .state = TaskState::kRunning,
              .epoch = 3};
    task.progress.retries["agent"] = 2;
    task.progress.feedback = {"first", "second \xF0\x9F\x9A\xA2"};
    task.progress.candidate = Candidate{.name = "c", .validators = {{.name = "unit-tests"}}};
    task.progress.paused_in = TaskState::kJudging;
    return task;
  }

  static dispatcher::Run ARun() {
    return {.plan = kPlan, .title = "N", .start_time = absl::UnixEpoch()};
  }

  testkit::TemporaryDirectory directory_;
  testkit::FakeClock clock_;
  testkit::SequentialIds ids_;
};

TEST_F(SqliteTaskStoreTest, WhatWasCommittedIsThereAfterARestart) {
  const Task task = ATask();
  {
    const auto store = Open();
    ChangeSet changes{.runs = {ARun()},
                      .tasks = {{.task = task, .insert = true}},
                      .attempts = {{.key = task.attempt(), .state = AttemptState::kActive}},
                      .pauses = {{.scope = "everything", .actor = "alice"}},
                      .ledger_cursor = "7"};
    changes.results.push_back(
        {.attempt = task.attempt(), .result = ChangeResult{.patch = std::string("\0x", 2)}});
    store->Commit(std::move(changes), [] {});
    store->Stop();
  }

  const auto store = Open();
  const Snapshot snapshot = store->Load().value();

  ASSERT_EQ(snapshot.tasks.size(), 1u);
  EXPECT_EQ(snapshot.tasks[0].spec, task.spec);
  EXPECT_EQ(snapshot.tasks[0].progress, task.progress);
  EXPECT_EQ(snapshot.tasks[0].epoch, 3);
  EXPECT_EQ(snapshot.attempts.at(0).state, AttemptState::kActive);
  EXPECT_EQ(snapshot.pauses.at(0).actor, "alice");
  EXPECT_EQ(snapshot.ledger_cursor, "7");
  EXPECT_EQ(store->ReadChange(task.attempt()).value().patch, std::string("\0x", 2));
  EXPECT_EQ(store->term(), 2);
}

TEST_F(SqliteTaskStoreTest, AnUpdateWritesWhatATaskIsOnlyWhenThatChanged) {
  Task task = ATask();
  const auto store = Open();
  store->Commit({.runs = {ARun()}, .tasks = {{.task = task, .insert = true}}}, [] {});
  task.spec.description = "another one";
  task.reason = "why";

  store->Commit({.tasks = {{.task = task, .expected_epoch = 3}}}, [] {});
  Task changed = task;
  changed.key.id = "b";
  changed.position = 1;
  store->Commit({.tasks = {{.task = changed, .insert = true}}}, [] {});
  changed.spec.description = "a third one";
  store->Commit({.tasks = {{.task = changed, .spec_changed = true, .expected_epoch = 3}}}, [] {});
  store->Stop();

  const std::optional<Task> stored = store->FindTask(task.key).value();
  EXPECT_EQ(stored->spec, ATask().spec);
  EXPECT_EQ(stored->reason, "why");
  EXPECT_EQ(store->FindTask(changed.key).value()->spec.description, "a third one");
}

TEST_F(SqliteTaskStoreTest, StatesOfAnAttemptReplaceWhatChangesAndKeepTheRest) {
  Attempt attempt{.key = ATask().attempt(),
                  .kind = GrantKind::kWork,
                  .host = "hosts/h",
                  .agent = "agent-1",
                  .commit = "c0ffee",
                  .feedback = {"first"},
                  .start_time = absl::FromUnixSeconds(5),
                  .key_open = true};
  const Attempt offered = attempt;
  const auto store = OpenWithoutThreads();
  const auto commit_alone = [&](const Attempt& state) {
    store->Commit({.attempts = {state}}, [] {});
    store->RunQueued();
    return store->FindAttempt(state.key).value().value();
  };
  EXPECT_TRUE(commit_alone(attempt).key_open);
  attempt.state = AttemptState::kActive;
  EXPECT_EQ(commit_alone(attempt).state, AttemptState::kActive);
  attempt.state = AttemptState::kReported;
  attempt.has_result = true;
  EXPECT_TRUE(commit_alone(attempt).key_open);
  EXPECT_EQ(store->Load()->open_keys.size(), 1u);
  attempt.state = AttemptState::kRejected;
  attempt.reason = "WHY";
  attempt.detail = "since";
  attempt.end_time = absl::FromUnixSeconds(9);
  attempt.silence = absl::Seconds(2);
  attempt.key_open = false;

  const Attempt stored = commit_alone(attempt);

  EXPECT_TRUE(store->Load()->open_keys.empty());
  EXPECT_EQ(stored.state, AttemptState::kRejected);
  EXPECT_EQ(stored.reason, "WHY");
  EXPECT_EQ(stored.detail, "since");
  EXPECT_EQ(stored.end_time, attempt.end_time);
  EXPECT_EQ(stored.silence, attempt.silence);
  EXPECT_TRUE(stored.has_result);
  EXPECT_FALSE(stored.key_open);
  EXPECT_EQ(stored.agent, offered.agent);
  EXPECT_EQ(stored.commit, offered.commit);
  EXPECT_EQ(stored.feedback, offered.feedback);
  EXPECT_EQ(stored.start_time, offered.start_time);

  attempt.key_open = true;  // As after a restart that does not know.
  EXPECT_TRUE(commit_alone(attempt).key_open);
  EXPECT_EQ(store->Load()->open_keys.size(), 1u);
}

TEST_F(SqliteTaskStoreTest, ARunThatMovedKeepsItsPolicyAndItsPlace) {
  dispatcher::Run run = ARun();
  run.policy.retries_max = 7;
  run.digest = "one";
  dispatcher::Run other = run;
  other.plan = "projects/p/plans/other";
  const auto store = OpenWithoutThreads();
  store->Commit({.runs = {run, other}}, [] {});
  store->RunQueued();
  run.policy = {};
  run.tip = "abc";
  run.version = 2;
  run.digest = "two";
  run.state = RunState::kSucceeded;
  run.result = "done";
  run.end_time = absl::FromUnixSeconds(3);
  store->Commit({.runs = {run}}, [] {});
  store->RunQueued();

  const dispatcher::Run stored = store->FindRun(kPlan).value().value();

  EXPECT_EQ(stored.policy.retries_max, 7);
  EXPECT_EQ(stored.tip, "abc");
  EXPECT_EQ(stored.version, 2);
  EXPECT_EQ(stored.digest, "two");
  EXPECT_EQ(stored.state, RunState::kSucceeded);
  EXPECT_EQ(stored.result, "done");
  EXPECT_EQ(stored.end_time, run.end_time);
  EXPECT_EQ(store->ListRuns("projects/p", 0, 10)->runs.at(0).plan, other.plan);
  EXPECT_EQ(store->FindRun(other.plan)->value().tip, "");
}

TEST_F(SqliteTaskStoreTest, OfProgressOnlyWhatIsNotAsAtFirstIsWritten) {
  EXPECT_EQ(ToJson(Progress()), "{}");
  EXPECT_EQ(ProgressFromJson("{}").value(), Progress());
  const std::string of_older_rows =
      R"({"retries":{},"feedback":[],"guidance":"","work_epoch":0,"inspected":false,)"
      R"("queue_number":0,"landing":false,"judge_round":0,"patch_approver":"","approver":"",)"
      R"("paused_in":2,"step_failures":0,"checkpoints":0,"last_host":"","fingerprint":"",)"
      R"("same_failures":0,"deaths":[]})";
  EXPECT_EQ(ProgressFromJson(of_older_rows).value(), Progress());

  const Progress all{.retries = {{"agent", 1}},
                     .feedback = {"f"},
                     .guidance = "g",
                     .work_epoch = 2,
                     .inspected = true,
                     .queue_number = 3,
                     .landing = true,
                     .candidate = Candidate{.name = "c"},
                     .judge_round = 4,
                     .patch_approver = "p",
                     .approver = "a",
                     .paused_in = TaskState::kBlocked,
                     .step_failures = 5,
                     .checkpoints = 6,
                     .last_host = "h",
                     .fingerprint = "i",
                     .same_failures = 7,
                     .deaths = {"d"}};
  EXPECT_EQ(ProgressFromJson(ToJson(all)).value(), all);
}

constexpr sqlite::Sql kInsertOldTask =
    "INSERT INTO task(plan,id,position,state,epoch,reason,detail,merged_commit,open_checkpoint,"
    "progress) VALUES(?,?,?,2,0,'','','',0,'{}')";
constexpr sqlite::Sql kInsertOldSpec = "INSERT INTO task_spec(plan,id,spec) VALUES(?,?,?)";

TEST_F(SqliteTaskStoreTest, WhatTasksAreIsKeptWhenItsTableIsLaidOutAnew) {
  TaskSpec small{.id = "small", .title = "S"};
  TaskSpec large{.id = "large", .title = "L", .description = std::string(20'000, 'd')};
  {
    const auto old = sqlite::Database::Open(directory_.File("dispatcher.db"),
                                            {.migrations = Migrations().first(7)})
                         .value();
    const absl::Status written = old->Write([&](sqlite::Transaction& transaction) -> absl::Status {
      int position = 0;
      for (const TaskSpec& spec : {small, large}) {
        RETURN_IF_ERROR(transaction.Execute(kInsertOldTask, kPlan, spec.id, position++));
        RETURN_IF_ERROR(transaction.Execute(kInsertOldSpec, kPlan, spec.id, ToJson(spec)));
      }
      return absl::OkStatus();
    });
    ASSERT_OK(written);
  }

  const auto store = OpenWithoutThreads();

  EXPECT_EQ(store->FindTask({.plan = kPlan, .id = "small"}).value()->spec, small);
  Task task = store->FindTask({.plan = kPlan, .id = "large"}).value().value();
  EXPECT_EQ(task.spec, large);
  task.spec.description = "shorter";
  store->Commit({.tasks = {{.task = task, .spec_changed = true}}}, [] {});
  store->RunQueued();
  EXPECT_EQ(store->FindTask(task.key).value()->spec.description, "shorter");
  EXPECT_EQ(store->FindTask({.plan = kPlan, .id = "small"}).value()->spec, small);
}

TEST_F(SqliteTaskStoreTest, SqliteDoesNotCountItsMemoryForWhichThreadsWouldWaitForEachOther) {
  const auto store = Open();
  EXPECT_EQ(sqlite3_memory_used(), 0);
}

TEST_F(SqliteTaskStoreTest, ASecondStoreOnTheFileIsRefused) {
  const auto store = Open();
  EXPECT_THAT(SqliteTaskStore::Open(directory_.File("dispatcher.db"), clock_, ids_).status(),
              testkit::FailsWithReason("LOCKED"));
}

TEST_F(SqliteTaskStoreTest, ARunThatEndedIsNotTakenUpButListed) {
  const auto store = Open();
  dispatcher::Run run = ARun();
  run.state = RunState::kSucceeded;
  store->Commit({.runs = {run}, .tasks = {{.task = ATask(), .insert = true}}}, [] {});
  store->Stop();

  EXPECT_TRUE(store->Load()->tasks.empty());
  EXPECT_EQ(store->ListRuns("projects/p", 0, 10)->runs.size(), 1u);
  EXPECT_EQ(store->ListRuns("projects/q", 0, 10)->runs.size(), 0u);
}

TEST_F(SqliteTaskStoreTest, AStaleProcessWritesNothingAfterAnotherTermBegan) {
  absl::Status lost;
  bool committed = false;
  auto store = SqliteTaskStore::Open(
                   SqliteTaskStore::Options{.path = directory_.File("dispatcher.db"),
                                            .on_lost = [&](const auto& why) { lost = why; }},
                   clock_, ids_)
                   .value();
  // Past the lock, as on a file system that has none.
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(directory_.File("dispatcher.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "UPDATE meta SET term=term+1", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(other);

  store->Commit({.runs = {ARun()}}, [&] { committed = true; });
  store->Commit({.pauses = {{.scope = "everything"}}}, [&] { committed = true; });
  store->Stop();

  EXPECT_THAT(std::string(lost.message()), ::testing::HasSubstr("another dispatcher began term 2"));
  EXPECT_FALSE(committed);
  store.reset();
  const Snapshot snapshot = Open()->Load().value();
  EXPECT_TRUE(snapshot.runs.empty());
  EXPECT_TRUE(snapshot.pauses.empty());
}

using SqliteTaskStoreDeathTest = SqliteTaskStoreTest;

TEST_F(SqliteTaskStoreDeathTest, AChangeOnAnotherEpochEndsTheProcess) {
  EXPECT_DEATH(
      {
        const auto store = Open();
        store->Commit({.runs = {ARun()}, .tasks = {{.task = ATask(), .insert = true}}}, [] {});
        store->Commit({.tasks = {{.task = ATask(), .expected_epoch = 2}}}, [] {});
        store->Stop();
      },
      "is not at epoch 2");
}

}  // namespace
}  // namespace slipway::dispatcher
