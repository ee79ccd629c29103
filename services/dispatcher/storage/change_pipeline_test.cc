#include "services/dispatcher/storage/change_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <vector>

#include "lib/testkit/temporary_directory.h"

namespace slipway::dispatcher {
namespace {

constexpr sqlite::Migration kOneTable[] = {{1, "CREATE TABLE row(value TEXT NOT NULL) STRICT;"}};
constexpr sqlite::Sql kInsertRow = "INSERT INTO row(value) VALUES(?)";
constexpr sqlite::Sql kCountRows = "SELECT count(*) FROM row";

class ChangePipelineTest : public ::testing::Test {
 protected:
  std::unique_ptr<ChangePipeline> Make(bool own_threads = true) {
    database_ = sqlite::Database::Open(directory_.File("rows.db"),
                                       {.migrations = kOneTable, .gather_log = true})
                    .value();
    return std::make_unique<ChangePipeline>(
        *database_, ChangePipeline::Options{.apply =
                                                [this](sqlite::Transaction& transaction,
                                                       std::vector<ChangeSet>& changes) {
                                                  return Apply(transaction, changes);
                                                },
                                            .on_durable = [this] { ++durable_; },
                                            .on_lost = [this](const auto& why) { lost_ = why; },
                                            .own_threads = own_threads});
  }
  absl::Status Apply(sqlite::Transaction& transaction, const std::vector<ChangeSet>& changes) {
    ++transactions_;
    for (const ChangeSet& change : changes) {
      if (*change.ledger_cursor == "refused") return absl::InternalError("cannot be written");
      const absl::Status written = transaction.Execute(kInsertRow, *change.ledger_cursor);
      if (!written.ok()) return written;
    }
    return absl::OkStatus();
  }
  int Rows() {
    return database_
        ->Read([](sqlite::Reader& reader) {
          return reader.QueryOne(kCountRows, [](const sqlite::Row& row) { return row.Int(0); });
        })
        .value();
  }
  static ChangeSet Named(const std::string& name) { return {.ledger_cursor = name}; }

  testkit::TemporaryDirectory directory_;
  std::unique_ptr<sqlite::Database> database_;
  std::atomic<int> transactions_ = 0;
  std::atomic<int> durable_ = 0;
  absl::Status lost_;
};

TEST_F(ChangePipelineTest, CallbacksComeInTheOrderOfTheCallsWhenTheirChangesCanBeRead) {
  constexpr int kChanges = 2'000;
  const auto pipeline = Make();
  std::vector<int> told;
  for (int i = 0; i < kChanges; ++i) {
    pipeline->Commit(Named("x"), [&told, i] { told.push_back(i); });
    // What changes nothing is told after what was before it.
    if (i % 100 == 0) pipeline->Commit({}, [&told, i] { EXPECT_EQ(told.back(), i); });
  }
  pipeline->Stop();

  ASSERT_EQ(told.size(), size_t{kChanges});
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_EQ(Rows(), kChanges);
  EXPECT_LT(transactions_, kChanges);
  EXPECT_GT(durable_, 0);
}

TEST_F(ChangePipelineTest, WhatIsAskedForAtAnyTimeIsWrittenWithoutMoreComing) {
  constexpr int kChains = 3;
  constexpr int kLength = 300;
  const auto pipeline = Make();
  std::latch ends(kChains);
  // Each asks for the next when it is told, so that nothing else would wake a writer that sleeps.
  const std::function<void(int)> ask = [&](int left) {
    pipeline->Commit(Named("x"), [&, left] { left > 1 ? ask(left - 1) : ends.count_down(); });
  };
  for (int i = 0; i < kChains; ++i) ask(kLength);
  ends.wait();
  pipeline->Stop();

  EXPECT_EQ(Rows(), kChains * kLength);
}

TEST_F(ChangePipelineTest, AfterAChangeThatCannotBeWrittenNothingIsTakenOrTold) {
  const auto pipeline = Make(/*own_threads=*/false);
  int told = 0;
  pipeline->Commit(Named("first"), [&told] { ++told; });
  pipeline->RunQueued();
  pipeline->Commit(Named("second"), [&told] { ++told; });
  pipeline->Commit(Named("refused"), [&told] { ++told; });
  pipeline->RunQueued();
  pipeline->Commit(Named("third"), [&told] { ++told; });
  pipeline->RunQueued();

  EXPECT_EQ(lost_.message(), "cannot be written");
  EXPECT_EQ(told, 1);
  EXPECT_EQ(Rows(), 1);
}

TEST_F(ChangePipelineTest, WhatIsAskedForAfterTheStopIsNotTold) {
  const auto pipeline = Make();
  int told = 0;
  pipeline->Commit(Named("first"), [&told] { ++told; });
  pipeline->Stop();
  pipeline->Commit(Named("late"), [&told] { ++told; });
  pipeline->Stop();

  EXPECT_EQ(told, 1);
  EXPECT_EQ(Rows(), 1);
}

}  // namespace
}  // namespace slipway::dispatcher
