#include "services/ledger/storage/auditor.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/limits.h"
#include "services/ledger/storage/audit_usage.h"
#include "services/ledger/storage/rows.h"

namespace slipway::ledger {
namespace {

using sqlite::Row;
using sqlite::Sql;

constexpr Sql kSelectBudgets = "SELECT " SLIPWAY_LEDGER_BUDGET_COLUMNS " FROM budget ORDER BY id";
constexpr Sql kSelectBuckets =
    "SELECT " SLIPWAY_LEDGER_BUCKET_COLUMNS " FROM bucket ORDER BY budget,window_start_us";
constexpr Sql kSelectHolds =
    "SELECT r.key,r.state,r.legs,r.charge_time_us,r.expire_time_us,r.settled_usd,r.settled_tokens,"
    "r.settled_requests,r.denial,r.end_digest,"
    "json_extract(l.value,'$[0]'),json_extract(l.value,'$[1]'),json_extract(l.value,'$[3]'),"
    "json_extract(l.value,'$[4]')"
    " FROM reservation r LEFT JOIN json_each(r.leg_list) l ORDER BY r.key";
constexpr Sql kSelectWrongStates =
    "SELECT 'reservation '||r.key||': is not '||j.operation FROM journal j"
    " JOIN reservation r ON r.key=j.key WHERE"
    " (j.operation='settle' AND r.state<>3) OR (j.operation='release' AND r.state<>4)"
    " OR (j.operation='deny' AND r.state<>2) OR (j.operation='settle_late' AND r.state<>6)"
    " OR (j.operation IN ('expire','close_owner') AND r.state NOT IN (5,6)) LIMIT 20";
constexpr Sql kSelectUsage =
    "SELECT " SLIPWAY_LEDGER_USAGE_COLUMNS
    ",r.settled_usd FROM usage LEFT JOIN (SELECT key,settled_usd FROM reservation) r"
    " ON r.key=reservation ORDER BY sequence";
constexpr Sql kSelectWrongCosts =
    "SELECT 'usage '||u.reservation||': cost '||u.charged_usd FROM usage u LEFT JOIN"
    " (SELECT reservation,SUM(delta_usd) AS delta FROM adjustment GROUP BY reservation) a"
    " ON a.reservation=u.reservation WHERE u.charged_usd<>u.first_cost+COALESCE(a.delta,0)"
    " LIMIT 20";
constexpr Sql kCountAmounts =
    "SELECT (SELECT COUNT(*) FROM bucket)+(SELECT COALESCE(SUM(legs),0) FROM reservation)+(SELECT "
    "COUNT(*) FROM usage)"
    "+(SELECT COUNT(*) FROM reservation)";
constexpr Sql kSelectOutOfRange =
    "SELECT 'bucket '||budget FROM bucket WHERE posted<0 OR reserved<0 OR overage<0 OR seeded<0"
    " OR typeof(posted+reserved)<>'integer'"
    " UNION ALL SELECT 'leg '||reservation FROM " SLIPWAY_LEDGER_LEGS
    " WHERE amount<0 OR posted<0"
    " UNION ALL SELECT 'usage '||reservation FROM usage WHERE charged_usd<0 OR charged_tokens<0"
    " OR charged_requests<0 OR MIN(input,cache_read,cache_write,cache_write_long,output,reasoning,"
    "searches)<0"
    " UNION ALL SELECT 'reservation '||key FROM reservation WHERE MIN(held_usd,held_tokens,"
    "held_requests,settled_usd,settled_tokens,settled_requests)<0 LIMIT 20";

// A hold is closed within one interval of the timer; later ones are told.
constexpr absl::Duration kOverdueGrace = absl::Minutes(1);

// The scopes around one, nearest first.
std::vector<std::string> ScopesAround(const ScopePath& path) {
  std::vector<std::string> around = CoveringScopes(path);
  if (!path.role.empty()) return {path.project, kOrganisation};
  if (path.project.empty()) return {};
  around.pop_back();  // Itself.
  std::reverse(around.begin(), around.end());
  return around;
}

}  // namespace

absl::StatusOr<std::vector<AuditCheck>> Auditor::Run() {
  RETURN_IF_ERROR(Load());
  RETURN_IF_ERROR(journal_.Run(reader_));
  RETURN_IF_ERROR(journal_.CompareTables(reader_));
  CompareBuckets();
  RETURN_IF_ERROR(CheckHolds());
  RETURN_IF_ERROR(CheckUsage());
  CheckUsageOfBuckets();
  CheckParents();
  RETURN_IF_ERROR(CheckRanges());
  for (AuditCheck* check : {&journal_.within_limits(), &journal_.zero_limits(), &journal_.ends(),
                            &journal_.chain(), &journal_.time()}) {
    checks_.push_back(std::move(*check));
  }
  std::stable_sort(checks_.begin(), checks_.end(), [](const AuditCheck& a, const AuditCheck& b) {
    const auto number = [](const AuditCheck& check) {
      return std::stoi(check.invariant.substr(1));  // All begin with "I" and a number.
    };
    return number(a) < number(b);
  });
  return std::move(checks_);
}

absl::Status Auditor::Load() {
  ASSIGN_OR_RETURN(std::vector<Budget> budgets, reader_.Query(kSelectBudgets, ReadBudget));
  for (Budget& budget : budgets) sums_.AddBudget(std::move(budget));
  return reader_.ForEach(kSelectBuckets,
                         [this](const Row& row) { sums_.AddBucket(ReadBucket(row)); });
}

absl::Status Auditor::AddRows(AuditCheck& check, Sql sql) {
  return reader_.ForEach(sql, [&check](const Row& row) { AddBreach(check, row.Text(0)); });
}

void Auditor::CompareBuckets() {
  AuditCheck& chain = journal_.chain();
  for (const BucketSums& sums : sums_.buckets()) {
    const Bucket& bucket = sums.stored;
    ++chain.checked;
    if (sums_.BudgetOf(bucket.budget) < 0) {
      AddBreach(chain, absl::StrCat(AuditNameOf(bucket), ": there is no such budget"));
    }
    if (sums.replayed_posted != bucket.posted || sums.replayed_reserved != bucket.reserved ||
        sums.replayed_overage != bucket.overage) {
      AddBreach(chain, absl::StrCat(AuditNameOf(bucket), ": replays to posted ",
                                    WideText(sums.replayed_posted), ", reserved ",
                                    WideText(sums.replayed_reserved), ", overage ",
                                    WideText(sums.replayed_overage)));
    }
  }
}

// A reservation, and one of its legs when `has_leg`.
struct Auditor::HoldRow {
  std::string key;
  ReservationState state;
  int64_t legs;
  int64_t charge_time_us;
  absl::Time expire_time;
  Amounts settled;
  bool explained;  // A refusal tells why; what a caller ended has a digest of how.
  bool has_leg;
  std::string budget;
  int64_t window_start_us = 0;
  int64_t amount = 0;
  int64_t posted = 0;
};

struct Auditor::HoldChecks {
  AuditCheck reserved = {.invariant = "I2 reserved equals the legs of open holds"};
  AuditCheck posted = {.invariant = "I3 posted equals the settled legs and corrections"};
  AuditCheck legs = {.invariant = "I6 every reservation has all its legs"};
  AuditCheck keys = {.invariant = "I9 every key was decided once, and its answer is kept"};
  AuditCheck overdue = {.invariant = "I12 no hold is older than its lifetime"};
  AuditCheck windows = {.invariant = "I13 every leg is in the window of its start"};
  ReservationStates states;
  absl::Time now;
  std::string key;  // Of the reservation whose legs are being counted.
  int64_t legs_left = 0;

  void EndOfLegs() {
    if (legs_left != 0) {
      AddBreach(legs, absl::StrCat("reservation ", key, ": ", legs_left, " legs are missing"));
    }
    legs_left = 0;
  }
};

absl::Status Auditor::CheckHolds() {
  HoldChecks checks;
  checks.now = now_.value_or(journal_.last_time());
  RETURN_IF_ERROR(reader_.ForEach(kSelectHolds, [&](const Row& row) {
    HoldRow hold = {
        .key = row.Text(0),
        .state = static_cast<ReservationState>(row.Int(1)),
        .legs = row.Int64(2),
        .charge_time_us = row.Int64(3),
        .expire_time = row.Time(4),
        .settled = {.usd_nanos = row.Int64(5), .tokens = row.Int64(6), .requests = row.Int64(7)},
        .explained = true,
        .has_leg = !row.IsNull(10)};
    if (hold.state == ReservationState::kDenied) {
      hold.explained = !row.Text(8).empty();
    } else if (hold.state != ReservationState::kHeld &&
               hold.state != ReservationState::kExpiredCharged) {
      hold.explained = !row.Text(9).empty();
    }
    if (hold.has_leg) {
      hold.budget = row.Text(10);
      hold.window_start_us = row.Int64(11);
      hold.amount = row.Int64(12);
      hold.posted = row.Int64(13);
    }
    if (hold.key != checks.key) CheckHold(hold, checks);
    if (hold.has_leg) CheckLeg(hold, checks);
    return rows_.Next();
  }));
  checks.EndOfLegs();
  for (const BucketSums& sums : sums_.buckets()) {
    ++checks.reserved.checked;
    ++checks.posted.checked;
    if (sums.leg_reserved != sums.stored.reserved) {
      AddBreach(checks.reserved,
                absl::StrCat(AuditNameOf(sums.stored), ": reserved ", sums.stored.reserved,
                             ", legs ", WideText(sums.leg_reserved)));
    }
    if (sums.leg_posted + sums.stored.seeded != sums.stored.posted) {
      AddBreach(checks.posted,
                absl::StrCat(AuditNameOf(sums.stored), ": posted ", sums.stored.posted,
                             ", seed and legs ", WideText(sums.leg_posted + sums.stored.seeded)));
    }
  }
  RETURN_IF_ERROR(CompareStates(checks));
  for (AuditCheck* check : {&checks.reserved, &checks.posted, &checks.legs, &checks.keys,
                            &checks.overdue, &checks.windows}) {
    checks_.push_back(std::move(*check));
  }
  return absl::OkStatus();
}

void Auditor::CheckHold(const HoldRow& row, HoldChecks& checks) {
  checks.EndOfLegs();
  checks.key = row.key;
  checks.legs_left = row.legs;
  ++checks.legs.checked;
  ++checks.keys.checked;
  ++checks.states.decided;
  if (!row.explained) {
    AddBreach(checks.keys, absl::StrCat("reservation ", row.key, ": its answer is not kept"));
  }
  if (row.state != ReservationState::kHeld) {
    return checks.states.End(row.key, row.state, row.settled);
  }
  ++checks.overdue.checked;
  if (row.expire_time + kOverdueGrace < checks.now) {
    AddBreach(checks.overdue, absl::StrCat("reservation ", row.key, ": expired at ",
                                           absl::FormatTime(row.expire_time, absl::UTCTimeZone())));
  }
  if (journal_.states().open.erase(row.key) == 0) {
    AddBreach(journal_.chain(),
              absl::StrCat("reservation ", row.key, ": is HELD, not in the journal"));
  }
}

void Auditor::CheckLeg(const HoldRow& row, HoldChecks& checks) {
  --checks.legs_left;
  ++checks.windows.checked;
  const bool open = row.state == ReservationState::kHeld;
  if (!open && row.amount != 0) {
    AddBreach(checks.legs, absl::StrCat("reservation ", row.key, ": has ended and still holds"));
  }
  const int budget = sums_.BudgetOf(row.budget);
  if (budget < 0) {
    return AddBreach(checks.legs,
                     absl::StrCat("reservation ", row.key, ": no budget ", row.budget));
  }
  if (sums_.WindowStartOf(budget, row.charge_time_us) != row.window_start_us) {
    AddBreach(checks.windows, absl::StrCat("reservation ", row.key, " on ", row.budget));
  }
  BucketSums* const bucket = sums_.Find(budget, row.window_start_us);
  if (bucket == nullptr) {
    return AddBreach(checks.legs, absl::StrCat("reservation ", row.key, ": no bucket of budget ",
                                               row.budget, " at ", row.window_start_us));
  }
  if (open) bucket->leg_reserved += row.amount;
  bucket->leg_posted += row.posted;
}

absl::Status Auditor::CompareStates(HoldChecks& checks) {
  AuditCheck& chain = journal_.chain();
  ReservationStates& replayed = journal_.states();
  chain.checked += checks.states.decided;
  if (checks.states.decided != replayed.decided) {
    AddBreach(checks.keys, absl::StrCat(replayed.decided, " keys in the journal, ",
                                        checks.states.decided, " in the table"));
  }
  for (const std::string& key : replayed.open) {
    AddBreach(chain, absl::StrCat("reservation ", key, ": is HELD in the journal alone"));
  }
  if (checks.states.ended == replayed.ended) return absl::OkStatus();
  RETURN_IF_ERROR(AddRows(chain, kSelectWrongStates));
  if (chain.breaches.empty()) {
    AddBreach(chain, "what ended reservations have cost is not what the journal says");
  }
  return absl::OkStatus();
}

absl::Status Auditor::CheckUsage() {
  AuditCheck costs = {.invariant = "I4 costs equal first costs and corrections"};
  UsageSumsAudit sums;
  RETURN_IF_ERROR(reader_.ForEach(kSelectUsage, [&](const Row& row) {
    const UsageRecord usage = ReadUsage(row);
    ++costs.checked;
    const std::optional<int64_t> settled = row.OptionalInt64(26);
    if (settled != usage.charged.usd_nanos) {
      AddBreach(costs, absl::StrCat("usage ", usage.reservation, ": its reservation is ",
                                    settled.has_value() ? "settled at another cost" : "missing"));
    }
    sums.Add(usage);
    AddUsage(usage);
    return rows_.Next();
  }));
  ASSIGN_OR_RETURN(std::vector<AuditCheck> compared, sums.Compare(reader_));
  std::move(compared.begin(), compared.end(), std::back_inserter(checks_));
  RETURN_IF_ERROR(AddRows(costs, kSelectWrongCosts));
  checks_.push_back(std::move(costs));
  return absl::OkStatus();
}

void Auditor::AddUsage(const UsageRecord& usage) {
  const int64_t time_us = absl::ToUnixMicros(usage.charge_time);
  for (const std::string& scope : CoveringScopes(usage.scopes)) {
    for (const int budget : sums_.BudgetsOf(scope)) {
      BucketSums* const bucket = sums_.Find(budget, sums_.WindowStartOf(budget, time_us));
      if (bucket == nullptr) continue;  // From before the budget counted: nobody asked since.
      const Metric metric = sums_.budgets()[static_cast<size_t>(budget)].metric;
      bucket->usage += usage.charged.Of(metric);
    }
  }
}

void Auditor::CheckUsageOfBuckets() {
  AuditCheck check = {.invariant = "I4 posted equals the usage below its scope"};
  for (const BucketSums& sums : sums_.buckets()) {
    ++check.checked;
    if (sums.usage == sums.stored.posted) continue;
    AddBreach(check, absl::StrCat(AuditNameOf(sums.stored), ": posted ", sums.stored.posted,
                                  ", usage ", WideText(sums.usage)));
  }
  checks_.push_back(std::move(check));
}

int Auditor::ParentOf(const BucketSums& child) {
  const int index = sums_.BudgetOf(child.stored.budget);
  if (index < 0) return -1;
  const Budget& budget = sums_.budgets()[static_cast<size_t>(index)];
  for (const std::string& scope : ScopesAround(budget.path)) {
    for (const int other : sums_.BudgetsOf(scope)) {
      const Budget& around = sums_.budgets()[static_cast<size_t>(other)];
      if (around.metric != budget.metric || around.window != budget.window ||
          (budget.window != Window::kTotal && around.time_zone != budget.time_zone)) {
        continue;
      }
      const BucketSums* const found = sums_.Find(other, AuditMicros(child.stored.window_start));
      if (found != nullptr) return static_cast<int>(found - sums_.buckets().data());
    }
  }
  return -1;
}

void Auditor::CheckParents() {
  struct Below {
    WideSum scopes = 0;  // These two count the same calls in two ways.
    WideSum roles = 0;
  };
  AuditCheck check = {.invariant = "I5 a scope has spent what its children have"};
  std::vector<BucketSums>& buckets = sums_.buckets();
  std::vector<Below> below(buckets.size());
  for (const BucketSums& child : buckets) {
    const int parent = ParentOf(child);
    if (parent < 0) continue;
    const int budget = sums_.BudgetOf(child.stored.budget);
    const bool role = !sums_.budgets()[static_cast<size_t>(budget)].path.role.empty();
    Below& of = below[static_cast<size_t>(parent)];
    (role ? of.roles : of.scopes) += child.stored.posted;
  }
  for (size_t i = 0; i < buckets.size(); ++i) {
    ++check.checked;
    const WideSum most = std::max(below[i].scopes, below[i].roles);
    if (buckets[i].stored.posted >= most) continue;
    AddBreach(check, absl::StrCat(AuditNameOf(buckets[i].stored), ": posted ",
                                  buckets[i].stored.posted, ", below it ", WideText(most)));
  }
  checks_.push_back(std::move(check));
}

absl::Status Auditor::CheckRanges() {
  AuditCheck check = {.invariant = "I14 amounts are integers, not negative, without overflow"};
  ASSIGN_OR_RETURN(check.checked,
                   reader_.QueryOne(kCountAmounts, [](const Row& row) { return row.Int64(0); }));
  RETURN_IF_ERROR(AddRows(check, kSelectOutOfRange));
  checks_.push_back(std::move(check));
  return absl::OkStatus();
}

}  // namespace slipway::ledger
