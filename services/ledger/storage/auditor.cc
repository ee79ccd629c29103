#include "services/ledger/storage/auditor.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/journal.h"
#include "services/ledger/domain/limits.h"
#include "services/ledger/storage/rows.h"

namespace slipway::ledger {
namespace {

using sqlite::Row;
using sqlite::Sql;

constexpr Sql kSelectBudgets = "SELECT " SLIPWAY_LEDGER_BUDGET_COLUMNS " FROM budget ORDER BY id";
constexpr Sql kSelectBuckets =
    "SELECT " SLIPWAY_LEDGER_BUCKET_COLUMNS " FROM bucket ORDER BY budget,window_start_us";
constexpr Sql kSelectJournal =
    "SELECT " SLIPWAY_LEDGER_JOURNAL_COLUMNS " FROM journal ORDER BY sequence";
constexpr Sql kSelectStates = "SELECT key,state FROM reservation ORDER BY sequence";

constexpr Sql kCountBuckets = "SELECT COUNT(*) FROM bucket";
constexpr Sql kWrongReserved =
    "SELECT 'budget '||b.budget||' window '||b.window_start_us||': reserved '||b.reserved"
    " FROM bucket b WHERE b.reserved<>COALESCE((SELECT SUM(l.amount) FROM leg l"
    " JOIN reservation r ON r.key=l.reservation WHERE r.state=1 AND l.budget=b.budget"
    " AND l.window_start_us=b.window_start_us),0)";
constexpr Sql kWrongPosted =
    "SELECT 'budget '||b.budget||' window '||b.window_start_us||': posted '||b.posted"
    " FROM bucket b WHERE b.posted<>b.seeded+COALESCE((SELECT SUM(l.posted) FROM leg l"
    " WHERE l.budget=b.budget AND l.window_start_us=b.window_start_us),0)";
constexpr Sql kCountUsage = "SELECT COUNT(*) FROM usage";
constexpr Sql kWrongRollup =
    "SELECT 'rollups do not equal usage' WHERE (SELECT COALESCE(SUM(calls),0)||','||"
    "COALESCE(SUM(input),0)||','||COALESCE(SUM(cache_read),0)||','||COALESCE(SUM(cache_write),0)"
    "||','||COALESCE(SUM(cache_write_long),0)||','||COALESCE(SUM(output),0)||','||"
    "COALESCE(SUM(searches),0)||','||COALESCE(SUM(cost),0)||','||COALESCE(SUM(estimated),0)"
    " FROM rollup)<>(SELECT COUNT(*)||','||COALESCE(SUM(input),0)||','||"
    "COALESCE(SUM(cache_read),0)||','||COALESCE(SUM(cache_write),0)||','||"
    "COALESCE(SUM(cache_write_long),0)||','||COALESCE(SUM(output),0)||','||"
    "COALESCE(SUM(searches),0)||','||COALESCE(SUM(charged_usd),0)||','||"
    "COALESCE(SUM(CASE WHEN basis=2 THEN charged_usd ELSE 0 END),0) FROM usage)";
constexpr Sql kWrongCost =
    "SELECT 'usage '||u.reservation||': cost '||u.charged_usd FROM usage u WHERE u.charged_usd<>"
    "u.first_cost+COALESCE((SELECT SUM(a.delta_usd) FROM adjustment a"
    " WHERE a.reservation=u.reservation),0)";
constexpr Sql kSumCharged =
    "SELECT COALESCE(SUM(CASE ?1 WHEN 1 THEN charged_usd WHEN 2 THEN charged_tokens"
    " ELSE charged_requests END),0) FROM usage WHERE charge_time_us>=?2 AND charge_time_us<?3"
    " AND (?4='' OR project=?4) AND (?5='' OR plan=?5) AND (?6='' OR task=?6)"
    " AND (?7='' OR attempt=?7) AND (?8='' OR role=?8)";
constexpr Sql kCountReservations = "SELECT COUNT(*) FROM reservation";
constexpr Sql kMissingLegs =
    "SELECT 'reservation '||r.key||': '||r.legs||' legs expected' FROM reservation r WHERE"
    " r.legs<>(SELECT COUNT(*) FROM leg l WHERE l.reservation=r.key)"
    " OR (r.state<>1 AND EXISTS(SELECT 1 FROM leg l WHERE l.reservation=r.key AND l.amount>0))";
constexpr Sql kSelectLegWindows =
    "SELECT l.reservation,l.budget,l.window_start_us,r.charge_time_us FROM leg l"
    " JOIN reservation r ON r.key=l.reservation ORDER BY l.reservation,l.budget";
constexpr Sql kCountAmounts =
    "SELECT (SELECT COUNT(*) FROM bucket)+(SELECT COUNT(*) FROM leg)+(SELECT COUNT(*) FROM usage)"
    "+(SELECT COUNT(*) FROM reservation)";
constexpr Sql kOutOfRange =
    "SELECT 'bucket '||budget FROM bucket WHERE posted<0 OR reserved<0 OR overage<0"
    " OR typeof(posted+reserved)<>'integer'"
    " UNION ALL SELECT 'leg '||reservation FROM leg WHERE amount<0 OR posted<0"
    " UNION ALL SELECT 'usage '||reservation FROM usage WHERE charged_usd<0 OR charged_tokens<0"
    " OR charged_requests<0 OR input<0 OR output<0"
    " UNION ALL SELECT 'reservation '||key FROM reservation WHERE held_usd<0 OR held_tokens<0"
    " OR held_requests<0 OR settled_usd<0 OR settled_tokens<0 OR settled_requests<0";

int64_t MicrosOf(absl::Time time) {
  return time == absl::InfiniteFuture() ? INT64_MAX : absl::ToUnixMicros(time);
}

std::string NameOf(const Bucket& bucket) {
  return absl::StrCat("budget ", bucket.budget, " window ", MicrosOf(bucket.window_start));
}

// The scope that a child's spend is also spend of, one step wider.
bool IsParent(const ScopePath& parent, const ScopePath& child) {
  if (!Covers(parent, child)) return false;
  const int depth = DepthOf(child);
  return DepthOf(parent) == (child.role.empty() ? depth - 1 : 1);
}

}  // namespace

absl::StatusOr<std::vector<AuditCheck>> Auditor::Run() {
  RETURN_IF_ERROR(LoadBudgets());
  RETURN_IF_ERROR(ReplayJournal());
  RETURN_IF_ERROR(CheckLegs());
  RETURN_IF_ERROR(CheckSums());
  RETURN_IF_ERROR(CheckParents());
  RETURN_IF_ERROR(CheckWindows());
  RETURN_IF_ERROR(CheckRanges());
  return std::move(checks_);
}

void Auditor::Breach(AuditCheck& check, std::string line) {
  if (check.breaches.size() < kBreachesMax) check.breaches.push_back(std::move(line));
}

absl::Status Auditor::LoadBudgets() {
  ASSIGN_OR_RETURN(std::vector<Budget> budgets, reader_.Query(kSelectBudgets, ReadBudget));
  for (Budget& budget : budgets) budgets_[budget.id] = std::move(budget);
  ASSIGN_OR_RETURN(buckets_, reader_.Query(kSelectBuckets, ReadBucket));
  return absl::OkStatus();
}

absl::Status Auditor::ReplayJournal() {
  AuditCheck within_limits = {.invariant = "I1 every grant was within its limits"};
  AuditCheck ends = {.invariant = "I7 every reservation ends once"};
  AuditCheck chain = {.invariant = "I10 the journal is intact and replays to the tables"};
  RETURN_IF_ERROR(reader_.ForEach(kSelectJournal, [&](const Row& row) {
    return Replay(ReadJournalEntry(row), within_limits, ends, chain);
  }));
  RETURN_IF_ERROR(CompareReplay(chain));
  checks_.push_back(std::move(within_limits));
  checks_.push_back(std::move(ends));
  checks_.push_back(std::move(chain));
  return absl::OkStatus();
}

absl::Status Auditor::Replay(const JournalEntry& entry, AuditCheck& within_limits, AuditCheck& ends,
                             AuditCheck& chain) {
  const std::string where = absl::StrCat("entry ", entry.sequence);
  ++chain.checked;
  if (entry.sequence != ++sequence_) Breach(chain, absl::StrCat(where, ": a gap before it"));
  sequence_ = entry.sequence;
  if (entry.digest != Journal::DigestOf(entry, digest_)) {
    Breach(chain, absl::StrCat(where, ": its digest does not match"));
  }
  digest_ = entry.digest;
  const nlohmann::json body = nlohmann::json::parse(entry.body, nullptr, false);
  if (!body.is_object() || !body.contains("postings")) {
    Breach(chain, absl::StrCat(where, ": unreadable"));
    return absl::OkStatus();
  }
  for (const nlohmann::json& line : body["postings"]) {
    if (!line.is_array() || line.size() < 5) {
      Breach(chain, absl::StrCat(where, ": unreadable"));
      continue;
    }
    Replayed& bucket = replayed_[{line[0].get<std::string>(), line[1].get<int64_t>()}];
    bucket.posted += line[2].get<int64_t>();
    bucket.reserved += line[3].get<int64_t>();
    bucket.overage += line[4].get<int64_t>();
    if (line.size() < 6) continue;
    ++within_limits.checked;
    if (bucket.posted + bucket.reserved > line[5].get<int64_t>()) {
      Breach(within_limits,
             absl::StrCat(where, ": ", entry.key, " on ", line[0].get<std::string>()));
    }
  }
  if (!body.contains("state")) return absl::OkStatus();
  const std::string state = body["state"].get<std::string>();
  std::string& before = states_[entry.key];
  ++ends.checked;
  const bool was_open = before.empty() || before == "HELD";
  const bool corrected = entry.operation == "adjust" && before == state;
  const bool late = before == "EXPIRED_CHARGED" && state == "SETTLED_LATE";
  if (!was_open && !corrected && !late) {
    Breach(ends, absl::StrCat(where, ": ", entry.key, " from ", before, " to ", state));
  }
  before = state;
  return absl::OkStatus();
}

absl::Status Auditor::CompareReplay(AuditCheck& chain) {
  for (const Bucket& bucket : buckets_) {
    ++chain.checked;
    const auto found = replayed_.extract({bucket.budget, MicrosOf(bucket.window_start)});
    const Replayed replayed = found.empty() ? Replayed() : found.mapped();
    if (replayed.posted != bucket.posted || replayed.reserved != bucket.reserved ||
        replayed.overage != bucket.overage) {
      Breach(chain, absl::StrCat(NameOf(bucket), ": replays to posted ", replayed.posted,
                                 ", reserved ", replayed.reserved, ", overage ", replayed.overage));
    }
  }
  for (const auto& [key, replayed] : replayed_) {
    Breach(chain, absl::StrCat("budget ", key.first, ": a bucket is missing"));
  }
  return reader_.ForEach(kSelectStates, [&](const Row& row) {
    ++chain.checked;
    const std::string state = ledger::NameOf(static_cast<ReservationState>(row.Int(1)));
    const auto found = states_.find(row.Text(0));
    if (found == states_.end() || found->second != state) {
      Breach(chain, absl::StrCat("reservation ", row.Text(0), ": is ", state));
    }
  });
}

absl::Status Auditor::CheckNoRows(const char* invariant, Sql count_sql, Sql sql) {
  AuditCheck check = {.invariant = invariant};
  ASSIGN_OR_RETURN(check.checked,
                   reader_.QueryOne(count_sql, [](const Row& row) { return row.Int64(0); }));
  RETURN_IF_ERROR(reader_.ForEach(sql, [&check](const Row& row) { Breach(check, row.Text(0)); }));
  checks_.push_back(std::move(check));
  return absl::OkStatus();
}

absl::Status Auditor::CheckLegs() {
  RETURN_IF_ERROR(
      CheckNoRows("I2 reserved equals the legs of open holds", kCountBuckets, kWrongReserved));
  RETURN_IF_ERROR(CheckNoRows("I3 posted equals the settled legs and corrections", kCountBuckets,
                              kWrongPosted));
  return CheckNoRows("I6 every reservation has all its legs", kCountReservations, kMissingLegs);
}

absl::Status Auditor::CheckSums() {
  RETURN_IF_ERROR(CheckNoRows("I4 rollups equal usage", kCountUsage, kWrongRollup));
  RETURN_IF_ERROR(
      CheckNoRows("I4 costs equal first costs and corrections", kCountUsage, kWrongCost));
  AuditCheck check = {.invariant = "I4 posted equals the usage below its scope"};
  for (const Bucket& bucket : buckets_) {
    const Budget& budget = budgets_[bucket.budget];
    const absl::Time end = WindowEnd(budget.window, budget.zone, bucket.window_start);
    ASSIGN_OR_RETURN(const int64_t charged,
                     reader_.QueryOne(
                         kSumCharged, [](const Row& row) { return row.Int64(0); },
                         static_cast<int>(budget.metric), bucket.window_start, MicrosOf(end),
                         budget.path.project, budget.path.plan, budget.path.task,
                         budget.path.attempt, budget.path.role));
    ++check.checked;
    if (charged != bucket.posted) {
      Breach(check, absl::StrCat(NameOf(bucket), ": posted ", bucket.posted, ", usage ", charged));
    }
  }
  checks_.push_back(std::move(check));
  return absl::OkStatus();
}

absl::Status Auditor::CheckParents() {
  AuditCheck check = {.invariant = "I5 a scope has spent what its children have"};
  for (const Bucket& parent : buckets_) {
    const Budget& budget = budgets_[parent.budget];
    int64_t below = 0;
    int64_t roles = 0;
    for (const Bucket& child : buckets_) {
      const Budget& other = budgets_[child.budget];
      if (other.metric != budget.metric || other.window != budget.window ||
          other.time_zone != budget.time_zone || child.window_start != parent.window_start ||
          !IsParent(budget.path, other.path)) {
        continue;
      }
      (other.path.role.empty() ? below : roles) += child.posted;
    }
    ++check.checked;
    if (parent.posted < below || parent.posted < roles) {
      Breach(check, absl::StrCat(NameOf(parent), ": posted ", parent.posted, ", below it ",
                                 std::max(below, roles)));
    }
  }
  checks_.push_back(std::move(check));
  return absl::OkStatus();
}

absl::Status Auditor::CheckWindows() {
  AuditCheck check = {.invariant = "I13 every leg is in the window of its start"};
  RETURN_IF_ERROR(reader_.ForEach(kSelectLegWindows, [&](const Row& row) {
    ++check.checked;
    const absl::Time window_start = budgets_[row.Text(1)].WindowStartAt(row.Time(3));
    if (window_start != row.Time(2)) {
      Breach(check, absl::StrCat("reservation ", row.Text(0), " on ", row.Text(1)));
    }
  }));
  checks_.push_back(std::move(check));
  return absl::OkStatus();
}

absl::Status Auditor::CheckRanges() {
  return CheckNoRows("I14 amounts are integers, not negative, without overflow", kCountAmounts,
                     kOutOfRange);
}

}  // namespace slipway::ledger
