#include "lib/sqlite/group_writer.h"

#include <atomic>
#include <future>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::sqlite {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;
using ::slipway::testkit::StatusIs;

constexpr Migration kMigrations[] = {
    {1,
     "CREATE TABLE item(id INTEGER PRIMARY KEY NOT NULL,"
     " parent INTEGER REFERENCES item(id) DEFERRABLE INITIALLY DEFERRED) STRICT"},
};
constexpr Sql kInsert = "INSERT INTO item(id,parent) VALUES(?,?)";
constexpr Sql kCount = "SELECT count(*) FROM item";

int64_t ReadInt64(const Row& row) { return row.Int64(0); }

absl::StatusOr<int64_t> Count(Database& database) {
  return database.Read([](Reader& reader) { return reader.QueryOne(kCount, ReadInt64); });
}

auto Insert(int64_t id) {
  return [id](Transaction& transaction) -> absl::StatusOr<int64_t> {
    RETURN_IF_ERROR(transaction.Execute(kInsert, id, std::nullopt));
    return id;
  };
}

// A row whose parent does not exist: refused by COMMIT, not by the statement.
auto InsertOrphan(int64_t id) {
  return [id](Transaction& transaction) -> absl::StatusOr<int64_t> {
    RETURN_IF_ERROR(transaction.Execute(kInsert, id, 1'000'000));
    return id;
  };
}

// An answer to wait for.
template <typename T>
class Answer final {
 public:
  base::Reply<T> MakeReply() {
    return base::Reply<T>(
        [this](absl::StatusOr<T> result) { promise_.set_value(std::move(result)); });
  }
  absl::StatusOr<T> Get() { return future_.get(); }

 private:
  std::promise<absl::StatusOr<T>> promise_;
  std::future<absl::StatusOr<T>> future_ = promise_.get_future();
};

// Keeps the writer busy inside an operation, so that what is queued meanwhile forms one batch.
class Gate final {
 public:
  explicit Gate(GroupWriter& writer) {
    writer.Write<int64_t>(
        [this](Transaction&) -> absl::StatusOr<int64_t> {
          entered_.set_value();
          opened_.get_future().wait();
          return 0;
        },
        passed_.MakeReply());
    entered_.get_future().wait();
  }
  void Open() { opened_.set_value(); }
  absl::StatusOr<int64_t> Get() { return passed_.Get(); }

 private:
  std::promise<void> entered_;
  std::promise<void> opened_;
  Answer<int64_t> passed_;
};

class GroupWriterTest : public ::testing::Test {
 protected:
  testkit::TemporaryDirectory directory_;
  const std::string path_ = directory_.File("test.db");
  std::unique_ptr<Database> database_ = Database::Open(path_, {.migrations = kMigrations}).value();
};

TEST_F(GroupWriterTest, ReplyComesAfterTheCommit) {
  // Another database object on the file sees nothing but what is committed.
  const std::unique_ptr<Database> other = Database::Open(path_, {.read_only = true}).value();
  GroupWriter writer(*database_);
  std::promise<absl::StatusOr<int64_t>> seen;

  writer.Write<int64_t>(Insert(1), base::Reply<int64_t>([&](absl::StatusOr<int64_t> result) {
                          EXPECT_THAT(result, IsOkAndHolds(1));
                          seen.set_value(Count(*other));
                        }));

  EXPECT_THAT(seen.get_future().get(), IsOkAndHolds(1));
}

TEST_F(GroupWriterTest, RefusedOperationUndoesOnlyItself) {
  GroupWriter writer(*database_);
  Answer<int64_t> first;
  Answer<int64_t> refused;
  Answer<int64_t> last;
  Gate gate(writer);
  writer.Write<int64_t>(Insert(1), first.MakeReply());
  writer.Write<int64_t>(
      [](Transaction& transaction) -> absl::StatusOr<int64_t> {
        RETURN_IF_ERROR(transaction.Execute(kInsert, 2, std::nullopt));
        return absl::OutOfRangeError("no");
      },
      refused.MakeReply());
  writer.Write<int64_t>(Insert(3), last.MakeReply());
  gate.Open();

  EXPECT_THAT(first.Get(), IsOkAndHolds(1));
  EXPECT_THAT(refused.Get(), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(last.Get(), IsOkAndHolds(3));
  EXPECT_THAT(Count(*database_), IsOkAndHolds(2));
}

TEST_F(GroupWriterTest, FailedCommitFailsEveryReplyAndAllThatFollows) {
  std::promise<absl::Status> fatal;
  int committed = 0;
  GroupWriter writer(
      *database_,
      {.on_committed = [&committed] { ++committed; },
       .on_commit_failed = [&fatal](const absl::Status& status) { fatal.set_value(status); }});
  Answer<int64_t> good;
  Answer<int64_t> bad;
  Answer<int64_t> refused;
  Gate gate(writer);
  writer.Write<int64_t>(Insert(1), good.MakeReply());
  writer.Write<int64_t>(InsertOrphan(2), bad.MakeReply());
  writer.Write<int64_t>(
      [](Transaction&) -> absl::StatusOr<int64_t> { return absl::NotFoundError("no"); },
      refused.MakeReply());
  gate.Open();

  EXPECT_THAT(good.Get(), FailsWithReason("COMMIT_FAILED"));
  EXPECT_THAT(bad.Get(), StatusIs(absl::StatusCode::kUnavailable));
  // It may rest on what the lost batch had changed.
  EXPECT_THAT(refused.Get(), FailsWithReason("COMMIT_FAILED"));
  EXPECT_THAT(fatal.get_future().get(), FailsWithReason("COMMIT_FAILED"));
  EXPECT_THAT(writer.WriteAndWait(Insert(3)), FailsWithReason("COMMIT_FAILED"));
  writer.Stop();
  EXPECT_EQ(committed, 1);  // The gate's own batch.
  EXPECT_THAT(Count(*database_), IsOkAndHolds(0));
}

// In memory: the process that dies cleans nothing up.
TEST(GroupWriterDeathTest, ByDefaultAFailedCommitEndsTheProcess) {
  const auto database = Database::Open(":memory:", {.migrations = kMigrations}).value();
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        GroupWriter writer(*database);
        writer.WriteAndWait(InsertOrphan(1)).IgnoreError();
        writer.Stop();
      },
      "could not commit");
}

TEST_F(GroupWriterTest, WhatCouldNotBeginIsUnavailableAndNotFatal) {
  const std::unique_ptr<Database> impatient =
      Database::Open(path_, {.migrations = kMigrations, .busy_timeout = absl::ZeroDuration()})
          .value();
  bool fatal = false;
  GroupWriter writer(*impatient,
                     {.on_commit_failed = [&fatal](const absl::Status&) { fatal = true; }});

  absl::StatusOr<int64_t> result;
  ASSERT_OK(database_->Write([&](Transaction&) {
    result = writer.WriteAndWait(Insert(1));
    return absl::OkStatus();
  }));

  EXPECT_THAT(result, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(writer.WriteAndWait(Insert(1)), IsOkAndHolds(1));
  writer.Stop();
  EXPECT_FALSE(fatal);
}

TEST_F(GroupWriterTest, OperationThatLostItsMemoryLosesTheBatch) {
  absl::Status fatal;
  GroupWriter writer(
      *database_, {.own_thread = false,
                   .on_commit_failed = [&fatal](const absl::Status& status) { fatal = status; }});
  Answer<int64_t> good;
  Answer<int64_t> lost;
  writer.Write<int64_t>(Insert(1), good.MakeReply());
  writer.Write<int64_t>(
      [](Transaction&) -> absl::StatusOr<int64_t> {
        return GroupWriter::LostBatch(absl::InternalError("half of it was written"));
      },
      lost.MakeReply());
  writer.RunQueued();

  EXPECT_THAT(good.Get(), FailsWithReason("COMMIT_FAILED"));
  EXPECT_THAT(lost.Get(), FailsWithReason("COMMIT_FAILED"));
  EXPECT_THAT(fatal, FailsWithReason("COMMIT_FAILED"));
  EXPECT_THAT(Count(*database_), IsOkAndHolds(0));
}

TEST_F(GroupWriterTest, WithoutAThreadNothingRunsUntilItIsTold) {
  GroupWriter writer(*database_, {.own_thread = false});
  bool ran = false;
  Answer<int64_t> answer;
  writer.Write<int64_t>(
      [&ran](Transaction& transaction) {
        ran = true;
        return Insert(1)(transaction);
      },
      answer.MakeReply());
  EXPECT_FALSE(ran);

  writer.RunQueued();

  EXPECT_THAT(answer.Get(), IsOkAndHolds(1));
  EXPECT_THAT(writer.WriteAndWait(Insert(2)), IsOkAndHolds(2));
}

TEST_F(GroupWriterTest, CallsBackOncePerBatchThatChangedSomething) {
  std::atomic<int> committed = 0;
  GroupWriter writer(*database_, {.on_committed = [&committed] { ++committed; }});
  std::vector<Answer<int64_t>> answers(50);
  {
    Gate gate(writer);
    for (size_t i = 0; i < answers.size(); ++i) {
      writer.Write<int64_t>(Insert(static_cast<int64_t>(i)), answers[i].MakeReply());
    }
    gate.Open();
    EXPECT_OK(gate.Get());
  }
  for (Answer<int64_t>& answer : answers) EXPECT_OK(answer.Get());
  EXPECT_FALSE(writer.WriteAndWait([](Transaction&) { return absl::CancelledError("no"); }).ok());
  writer.Stop();

  EXPECT_EQ(committed, 2);  // The gate's and the batch of 50.
}

TEST_F(GroupWriterTest, CallbackMayUseTheWriterAndTheDatabase) {
  GroupWriter* self = nullptr;
  std::promise<absl::StatusOr<int64_t>> seen;
  Answer<int64_t> second;
  bool first_call = true;
  GroupWriter writer(*database_, {.on_committed = [&] {
    if (!std::exchange(first_call, false)) return;
    seen.set_value(Count(*database_));
    self->Write<int64_t>(Insert(2), second.MakeReply());
  }});
  self = &writer;

  EXPECT_OK(writer.WriteAndWait(Insert(1)));

  EXPECT_THAT(seen.get_future().get(), IsOkAndHolds(1));
  EXPECT_THAT(second.Get(), IsOkAndHolds(2));
}

TEST_F(GroupWriterTest, WaitingOnTheWritersThreadIsAnErrorAndNoDeadlock) {
  GroupWriter writer(*database_);
  absl::StatusOr<int64_t> inner;

  EXPECT_OK(writer.WriteAndWait([&](Transaction&) {
    inner = writer.WriteAndWait(Insert(1));
    return absl::OkStatus();
  }));

  EXPECT_THAT(inner, FailsWithReason("NESTED_USE"));
}

TEST_F(GroupWriterTest, FullQueueRefuses) {
  GroupWriter writer(*database_, {.queue_max = 1});
  Answer<int64_t> queued;
  Answer<int64_t> refused;
  Gate gate(writer);
  writer.Write<int64_t>(Insert(1), queued.MakeReply());

  writer.Write<int64_t>(Insert(2), refused.MakeReply());

  EXPECT_THAT(refused.Get(), FailsWithReason("QUEUE_FULL"));
  gate.Open();
  EXPECT_THAT(queued.Get(), IsOkAndHolds(1));
}

TEST_F(GroupWriterTest, StopFinishesWhatIsQueuedAndRefusesTheRest) {
  GroupWriter writer(*database_, {.batch_max = 3});
  std::vector<Answer<int64_t>> answers(10);
  Gate gate(writer);
  for (size_t i = 0; i < answers.size(); ++i) {
    writer.Write<int64_t>(Insert(static_cast<int64_t>(i)), answers[i].MakeReply());
  }
  gate.Open();

  writer.Stop();

  for (Answer<int64_t>& answer : answers) EXPECT_OK(answer.Get());
  EXPECT_THAT(writer.WriteAndWait(Insert(99)), FailsWithReason("SHUTTING_DOWN"));
  EXPECT_THAT(Count(*database_), IsOkAndHolds(10));
}

TEST_F(GroupWriterTest, EveryAcknowledgedWriteOfManyThreadsIsThere) {
  constexpr int kThreads = 8;
  constexpr int kWrites = 100;
  std::atomic<int> acknowledged = 0;
  {
    GroupWriter writer(*database_);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kWrites; ++i) {
          // Every tenth id exists already.
          const int64_t id = i % 10 == 9 ? t * kWrites : t * kWrites + i;
          if (writer.WriteAndWait(Insert(id)).ok()) ++acknowledged;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  EXPECT_EQ(acknowledged, kThreads * kWrites * 9 / 10);
  EXPECT_THAT(Count(*database_), IsOkAndHolds(acknowledged.load()));
}

}  // namespace
}  // namespace slipway::sqlite
