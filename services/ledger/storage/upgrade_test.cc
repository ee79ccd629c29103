// A ledger that was written by the first schema goes on under the last.
#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "services/ledger/storage/audit_file.h"
#include "services/ledger/storage/ledger_fixture.h"
#include "services/ledger/storage/schema.h"

namespace slipway::ledger {
namespace {

class UpgradeTest : public LedgerFixture {
 protected:
  std::string Path() const { return directory_.File("ledger.db"); }

  static void Execute(sqlite3* database, const std::string& sql) {
    char* problem = nullptr;
    ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &problem), SQLITE_OK)
        << problem << ": " << sql;
  }

  // The columns of a table of the first schema.
  static std::string ColumnsOf(sqlite3* database, const std::string& table) {
    std::string columns;
    sqlite3_stmt* statement = nullptr;
    const std::string sql =
        absl::StrCat("SELECT group_concat(name) FROM pragma_table_info('", table, "')");
    EXPECT_EQ(sqlite3_prepare_v2(database, sql.c_str(), -1, &statement, nullptr), SQLITE_OK);
    if (sqlite3_step(statement) == SQLITE_ROW) {
      columns = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    return columns;
  }

  // Puts a file of the first schema in the place of the ledger's, with the rows that its history
  // would have had there.
  void Downgrade() {
    store_.reset();
    const std::string old = directory_.File("old.db");
    ASSERT_OK(sqlite::Database::Open(old, {.migrations = absl::MakeSpan(kMigrations, 2)}));
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(old.c_str(), &database), SQLITE_OK);
    Execute(database, "DELETE FROM log_meta");
    Execute(database, absl::StrCat("ATTACH '", Path(), "' AS new"));
    for (const char* table : {"log_meta", "event", "budget", "bucket", "reservation", "usage",
                              "adjustment", "rollup", "price", "stored_reply", "journal"}) {
      const std::string columns = ColumnsOf(database, table);
      ASSERT_FALSE(columns.empty()) << table;
      Execute(database, absl::StrCat("INSERT INTO main.", table, "(", columns, ") SELECT ", columns,
                                     " FROM new.", table));
    }
    Execute(database,
            "INSERT INTO main.leg SELECT r.key,json_extract(l.value,'$[0]'),"
            "json_extract(l.value,'$[1]'),json_extract(l.value,'$[2]'),"
            "json_extract(l.value,'$[3]'),json_extract(l.value,'$[4]')"
            " FROM new.reservation r JOIN json_each(r.leg_list) l");
    EXPECT_GT(sqlite3_changes(database), 0);
    sqlite3_close(database);
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::remove(absl::StrCat(Path(), suffix).c_str());
    }
    ASSERT_EQ(std::rename(old.c_str(), Path().c_str()), 0);
  }

  std::vector<std::string> Balances() {
    std::vector<std::string> lines;
    const absl::StatusOr<Page<Balance>> page = store_->ListBalances("", {});
    EXPECT_OK(page);
    for (const Balance& balance : page->items) {
      const Bucket& bucket = balance.bucket;
      lines.push_back(absl::StrCat(balance.budget.id, " ", balance.budget.scope, " ",
                                   *balance.budget.limit, " ", bucket.posted, " ", bucket.reserved,
                                   " ", bucket.overage, " ", bucket.seeded));
    }
    return lines;
  }

  std::vector<std::string> Sums() {
    std::vector<std::string> lines;
    const absl::StatusOr<Page<UsageRollup>> page =
        store_->QueryUsage({}, {.day = true, .plan = true, .role = true}, {});
    EXPECT_OK(page);
    for (const UsageRollup& row : page->items) {
      lines.push_back(absl::StrCat(absl::ToUnixSeconds(*row.day), " ", row.scopes.plan, " ",
                                   row.scopes.role, " ", row.calls, " ", row.cost_usd_nanos));
    }
    return lines;
  }
};

TEST_F(UpgradeTest, RowsOfTheFirstSchemaKeepTheirBalancesAndPassTheAudit) {
  ASSERT_OK(SetLimit(kOrganisation, 100'000));
  ASSERT_OK(SetLimit("projects/p", 5'000, Metric::kUsdNanos, Window::kDay));
  ASSERT_OK(SetLimit("projects/p/plans/a", 1'000));
  ASSERT_OK(SetLimit("projects/p/roles/builder", 20, Metric::kRequests, Window::kMonth));
  ASSERT_OK(Reserve(CallFor("settled", 100)));
  ASSERT_OK(SettleFor("settled", 60));
  ASSERT_OK(Reserve(CallFor("released", 100)));
  ASSERT_OK(Release("released"));
  ASSERT_OK(Reserve(CallFor("denied", 5'000)));
  ASSERT_OK(Reserve(CallFor("expired", 30)));
  ASSERT_OK(Reserve(CallFor("late", 40)));
  AdvanceAndExpire(absl::Minutes(11));
  ASSERT_OK(SettleFor("late", 25));
  ASSERT_OK(Adjust({.key = "a", .reservation = "settled", .delta_usd_nanos = -3}));
  ASSERT_OK(Reserve(CallFor("held", 10)));
  ReserveOrder envelope = CallFor("envelope", 200);
  envelope.kind = ReservationKind::kEnvelope;
  envelope.amounts.requests = envelope.minimum.requests = 0;
  ASSERT_OK(Reserve(envelope));
  ReserveOrder drawing = CallFor("drawing", 70);
  drawing.envelope = "envelope";
  ASSERT_OK(Reserve(drawing));
  const std::vector<std::string> balances = Balances();
  const std::vector<std::string> sums = Sums();
  ASSERT_EQ(balances.size(), 4u);
  ASSERT_FALSE(sums.empty());

  Downgrade();
  EXPECT_THAT(AuditFile(Path()), testkit::FailsWithReason("SCHEMA_OLDER"));
  Open();

  EXPECT_EQ(Balances(), balances);
  EXPECT_EQ(Sums(), sums);
  ExpectAuditIsClean();
  // What was under way ends as it would have.
  ASSERT_OK(SettleFor("held", 9));
  ASSERT_OK(SettleFor("drawing", 65));
  ASSERT_OK(Settle({.key = "envelope"}));
  ASSERT_OK(Adjust({.key = "a2", .reservation = "late", .delta_usd_nanos = 2}));
  ASSERT_OK_AND_ASSIGN(const Settlement again, SettleFor("settled", 60));
  EXPECT_EQ(again.reservation.settled.usd_nanos, 57);
  ASSERT_OK_AND_ASSIGN(const Reservation denied, Reserve(CallFor("denied", 5'000)));
  EXPECT_EQ(denied.state, ReservationState::kDenied);
  EXPECT_EQ(BalanceOf("projects/p/plans/a").bucket.posted, 57 + 30 + 27 + 9 + 65);
  EXPECT_EQ(BalanceOf("projects/p/plans/a").bucket.reserved, 0);
  ExpectAuditIsClean();
}

}  // namespace
}  // namespace slipway::ledger
