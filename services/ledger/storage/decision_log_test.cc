#include "services/ledger/storage/decision_log.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "services/ledger/domain/journal.h"
#include "services/ledger/storage/audit_file.h"
#include "services/ledger/storage/change_codec.h"
#include "services/ledger/storage/decision_format.h"
#include "services/ledger/storage/ledger_fixture.h"

namespace slipway::ledger {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testkit::FailsWithReason;
using testkit::IsOkAndHolds;

class DecisionLogTest : public ::testing::Test {
 protected:
  void SetUp() override { std::ofstream(Database()) << "the log has the mode of this file"; }

  std::string Database() const { return directory_.File("ledger.db"); }
  std::string FileOf(int index) const { return absl::StrCat(Database(), "-decisions", index); }

  DecisionLog Log(const std::string& owner = "us") const {
    return DecisionLog({.database = Database(), .bytes_max = 8 << 10}, owner);
  }

  // The decision that adds the next line to the journal.
  Changes Next(size_t bytes = 100) {
    Changes changes;
    changes.journal.push_back(
        {.sequence = ++head_.sequence, .operation = "test", .body = std::string(bytes, 'x')});
    changes.journal[0].digest = Journal::DigestOf(changes.journal[0], head_.digest);
    head_.digest = changes.journal[0].digest;
    return changes;
  }

  absl::Status Append(DecisionLog& log, int count = 1, size_t bytes = 100) {
    std::string record;
    DecisionLog::BeginRecord(record);
    const int64_t first = head_.sequence + 1;
    for (int i = 0; i < count; ++i) AppendChanges(Next(bytes), record);
    if (!log.HasRoom(record)) RETURN_IF_ERROR(log.Turn());
    return log.Append(first, head_.sequence, record);
  }

  // What a reader finds after `head`.
  absl::StatusOr<std::vector<int64_t>> Read(const JournalHead& head = {}) const {
    std::vector<int64_t> sequences;
    RETURN_IF_ERROR(Log()
                        .ReadAfter(head,
                                   [&](Changes changes) {
                                     sequences.push_back(changes.journal.back().sequence);
                                     return absl::OkStatus();
                                   })
                        .status());
    return sequences;
  }

  // Changes a byte of a file.
  void Spoil(int index, size_t offset) const {
    std::fstream file(FileOf(index), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(file.get() ^ 0x55);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
  }

  testkit::TemporaryDirectory directory_;
  JournalHead head_;
};

TEST_F(DecisionLogTest, TellsWhatWasAppendedAfterAHead) {
  DecisionLog log = Log();
  ASSERT_OK(log.Start(0, 0));
  ASSERT_OK(Append(log, 2));
  const JournalHead two = head_;
  ASSERT_OK(Append(log, 3));

  EXPECT_THAT(Read(), IsOkAndHolds(ElementsAre(1, 2, 3, 4, 5)));
  EXPECT_THAT(Read(two), IsOkAndHolds(ElementsAre(3, 4, 5)));
  EXPECT_THAT(Read(head_), IsOkAndHolds(IsEmpty()));
}

TEST_F(DecisionLogTest, IsPrivate) {
  std::filesystem::permissions(Database(), std::filesystem::perms(0600));
  DecisionLog log = Log();
  ASSERT_OK(log.Start(0, 0));
  EXPECT_EQ(std::filesystem::status(FileOf(1)).permissions(), std::filesystem::perms(0600));
}

TEST_F(DecisionLogTest, TurnsBetweenFilesOfBoundedSize) {
  DecisionLog log = Log();
  ASSERT_OK(log.Start(0, 0));
  JournalHead durable;
  for (int i = 0; i < 100; ++i) {
    const JournalHead before = head_;
    ASSERT_OK(Append(log, 1, 1'000));
    if (log.turn_needs() == before.sequence) durable = before;
  }

  EXPECT_GT(durable.sequence, 80);
  ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> found, Read(durable));
  EXPECT_EQ(found.size(), 100u - static_cast<size_t>(durable.sequence));
  for (int index : {0, 1}) EXPECT_LE(std::filesystem::file_size(FileOf(index)), 12u << 10);
  // What Turn would have needed is not in the log any more.
  EXPECT_THAT(Read(), FailsWithReason("DECISIONS_CORRUPT"));
}

TEST_F(DecisionLogTest, HoldsADecisionLargerThanAFile) {
  DecisionLog log = Log();
  ASSERT_OK(log.Start(0, 0));
  ASSERT_OK(Append(log));
  const JournalHead one = head_;
  ASSERT_OK(Append(log, 1, 100'000));
  ASSERT_OK(Append(log));
  EXPECT_THAT(Read(one), IsOkAndHolds(ElementsAre(2, 3)));
  const JournalHead three = head_;

  ASSERT_OK(log.Turn());  // The large one's file is the next to be begun again, and cut.
  EXPECT_THAT(Read(three), IsOkAndHolds(IsEmpty()));
  EXPECT_LE(std::min(std::filesystem::file_size(FileOf(0)), std::filesystem::file_size(FileOf(1))),
            12u << 10);
}

TEST_F(DecisionLogTest, LeavesATornEndOut) {
  DecisionLog log = Log();
  ASSERT_OK(log.Start(0, 0));  // Goes on in file 0.
  ASSERT_OK(Append(log));
  ASSERT_OK(Append(log, 1, 2'000));
  const size_t second = 2 * kLogSector;
  for (const size_t offset : {size_t{0}, size_t{8}, sizeof(LogRecordHeader), size_t{1'999}}) {
    Spoil(0, second + offset);
    EXPECT_THAT(Read(), IsOkAndHolds(ElementsAre(1))) << offset;
    Spoil(0, second + offset);
    EXPECT_THAT(Read(), IsOkAndHolds(ElementsAre(1, 2))) << offset;
  }
}

TEST_F(DecisionLogTest, TellsDamageBeforeItsEnd) {
  DecisionLog log = Log();
  ASSERT_OK(log.Start(0, 0));
  ASSERT_OK(Append(log));
  ASSERT_OK(Append(log));
  ASSERT_OK(Append(log));
  const size_t second = 2 * kLogSector;
  for (const size_t offset : {size_t{0}, size_t{8}, sizeof(LogRecordHeader)}) {
    Spoil(0, second + offset);
    EXPECT_THAT(Read(), FailsWithReason("DECISIONS_CORRUPT")) << offset;
    Spoil(0, second + offset);
  }
  Spoil(0, 16);  // The header of a file that has decisions.
  EXPECT_THAT(Read(), FailsWithReason("DECISIONS_CORRUPT"));
  EXPECT_THAT(Read(head_), IsOkAndHolds(IsEmpty()));  // Which the tables have all.
}

TEST_F(DecisionLogTest, GoesOnFromTheJournalOrNotAtAll) {
  DecisionLog log = Log();
  ASSERT_OK(log.Start(0, 0));
  ASSERT_OK(Append(log));
  const JournalHead one = head_;
  ASSERT_OK(Append(log));

  EXPECT_THAT(Read({1, "another"}), FailsWithReason("DECISIONS_CORRUPT"));
  EXPECT_THAT(Read(one), IsOkAndHolds(ElementsAre(2)));
}

TEST_F(DecisionLogTest, OfAnotherDatabaseIsRefused) {
  DecisionLog log = Log("them");
  ASSERT_OK(log.Start(0, 0));
  EXPECT_THAT(Read(), FailsWithReason("DECISIONS_FOREIGN"));
}

TEST_F(DecisionLogTest, BegunAgainHidesWhatItHadBefore) {
  for (int start = 0; start < 4; ++start) {
    DecisionLog log = Log();
    ASSERT_OK_AND_ASSIGN(const DecisionLog::Found found,
                         log.ReadAfter(head_, [](const Changes&) { return absl::OkStatus(); }));
    EXPECT_EQ(found.decisions, 0);
    EXPECT_EQ(found.complete, start > 0);
    ASSERT_OK(log.Start(found.generation, head_.sequence));
    const JournalHead before = head_;
    ASSERT_OK(Append(log, start + 1));
    ASSERT_OK_AND_ASSIGN(const std::vector<int64_t> after, Read(before));
    EXPECT_EQ(after.size(), static_cast<size_t>(start) + 1);
  }
}

// A ledger whose decisions stay in its log, as those of a process that is killed.
class UnappliedTest : public LedgerFixture {
 protected:
  void SetUp() override {
    Reopen(directory_.File("ledger.db"));
    Run([](SqliteLedgerStore& store) {
      store.SetBudget({.scope = kOrganisation, .limit = 1'000},
                      base::Reply<Balance>([](const absl::StatusOr<Balance>&) {}));
    });
    store_->ApplyLogged();
    for (int i = 0; i < 3; ++i) {
      Run([i](SqliteLedgerStore& store) {
        store.Reserve(CallFor(absl::StrCat("k", i), 100),
                      base::Reply<Reservation>(
                          [](const absl::StatusOr<Reservation>& held) { EXPECT_OK(held); }));
      });
    }
    EXPECT_EQ(store_->unapplied(), 3);
    // What a kill leaves.
    ASSERT_TRUE(std::filesystem::create_directory(directory_.File("killed")));
    for (const char* suffix : {"", "-wal", "-decisions0", "-decisions1"}) {
      std::filesystem::copy_file(directory_.File("ledger.db") + suffix, Killed() + suffix);
    }
  }

  void Reopen(const std::string& path) {
    store_.reset();
    absl::StatusOr<std::unique_ptr<SqliteLedgerStore>> opened = TryOpen(path);
    ASSERT_OK(opened);
    store_ = *std::move(opened);
  }
  absl::StatusOr<std::unique_ptr<SqliteLedgerStore>> TryOpen(const std::string& path) {
    return SqliteLedgerStore::Open({.path = path, .own_thread = false}, clock_, ids_);
  }
  template <typename Ask>
  void Run(Ask ask) {
    ask(*store_);
    store_->RunQueued();
  }

  std::string Killed() const { return directory_.File("killed/ledger.db"); }
};

TEST_F(UnappliedTest, DecisionsAreInTheTablesAfterARestart) {
  Reopen(Killed());
  EXPECT_EQ(store_->held(), 3);
  EXPECT_EQ(BalanceOf(kOrganisation).bucket.reserved, 300);
  ExpectAuditIsClean();
}

TEST_F(UnappliedTest, DecisionsAreSeenByWhoeverReads) {
  EXPECT_EQ(BalanceOf(kOrganisation).bucket.reserved, 300);
  EXPECT_EQ(store_->unapplied(), 0);
}

TEST_F(UnappliedTest, AStoppedLedgerNeedsNoLog) {
  store_.reset();
  const std::string path = directory_.File("ledger.db");
  EXPECT_FALSE(std::filesystem::exists(path + "-decisions0"));
  EXPECT_FALSE(std::filesystem::exists(path + "-decisions1"));
  Reopen(path);
  EXPECT_EQ(store_->held(), 3);
}

TEST_F(UnappliedTest, AMissingFileOfTheLogIsAnErrorAndLosesNothing) {
  std::filesystem::rename(Killed() + "-decisions1", Killed() + "-elsewhere");
  EXPECT_THAT(TryOpen(Killed()), FailsWithReason("DECISIONS_MISSING"));
  std::filesystem::rename(Killed() + "-elsewhere", Killed() + "-decisions1");
  Reopen(Killed());
  EXPECT_EQ(store_->held(), 3);
}

TEST_F(UnappliedTest, AnAuditOfTheFileCountsThemAndWritesNothing) {
  const auto bytes = [this](const std::string& suffix) {
    std::ifstream file(Killed() + suffix, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string database = bytes("");
  const std::string decisions = bytes("-decisions0");

  ASSERT_OK_AND_ASSIGN(const AuditResult audit, AuditFile(Killed()));

  EXPECT_EQ(audit.checks[0].checked, 4);  // The file, and three decisions.
  int64_t lines = 0;
  for (const AuditCheck& check : audit.checks) {
    EXPECT_THAT(check.breaches, IsEmpty()) << check.invariant;
    if (check.invariant.starts_with("I10")) lines = std::max(lines, check.checked);
  }
  EXPECT_GE(lines, 4);
  EXPECT_EQ(bytes(""), database);
  EXPECT_EQ(bytes("-decisions0"), decisions);
  Reopen(Killed());
  EXPECT_EQ(store_->held(), 3);
}

TEST_F(UnappliedTest, AnAuditOfTheFileTellsThatTheLogIsDamaged) {
  std::fstream file(Killed() + "-decisions0", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(kLogSector + sizeof(LogRecordHeader)));
  file.put('!');
  file.close();

  ASSERT_OK_AND_ASSIGN(const AuditResult audit, AuditFile(Killed()));
  EXPECT_EQ(audit.checks[0].breaches.size(), 1u);
  EXPECT_THAT(TryOpen(Killed()), FailsWithReason("DECISIONS_CORRUPT"));
}

}  // namespace
}  // namespace slipway::ledger
