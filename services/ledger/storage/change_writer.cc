#include "services/ledger/storage/change_writer.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "services/ledger/domain/stored_form.h"
#include "services/ledger/storage/rows.h"

namespace slipway::ledger {
namespace {

using sqlite::Sql;
using sqlite::Transaction;

constexpr Sql kPutBudget =
    "INSERT INTO budget(" SLIPWAY_LEDGER_BUDGET_COLUMNS
    ") VALUES(?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT(id) DO UPDATE SET time_zone=excluded.time_zone,"
    "spend_limit=excluded.spend_limit,version=excluded.version,frozen=excluded.frozen,"
    "warn_percents=excluded.warn_percents";
constexpr Sql kPutBucket =
    "INSERT INTO bucket(" SLIPWAY_LEDGER_BUCKET_COLUMNS
    ") VALUES(?,?,?,?,?,?,?,?)"
    " ON CONFLICT(budget,window_start_us) DO UPDATE SET posted=excluded.posted,"
    "reserved=excluded.reserved,overage=excluded.overage,seeded=excluded.seeded,"
    "warned=excluded.warned,"
    "frozen=excluded.frozen";
constexpr Sql kAddReservation =
    "INSERT INTO reservation(key,kind,state,project,plan,task,attempt,role,envelope,owner,provider,"
    "model,service_tier,lifetime_us,asked_usd,asked_tokens,asked_requests,least_usd,least_tokens,"
    "least_requests,held_usd,held_tokens,held_requests,settled_usd,settled_tokens,"
    "settled_requests,charge_time_us,expire_time_us,denial,end_digest,drawing,legs,owner_epoch,"
    "leg_list,usage_sequence)"
    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr Sql kUpdateReservation =
    "UPDATE reservation SET "
    "state=?,held_usd=?,held_tokens=?,held_requests=?,settled_usd=?,settled_tokens=?,settled_"
    "requests=?,"
    "expire_time_us=?,end_digest=?,drawing=?,legs=?,leg_list=?,"
    "usage_sequence=COALESCE(?,usage_sequence) WHERE key=?";
constexpr Sql kAddUsage =
    "INSERT INTO usage(reservation,record_time_us,charge_time_us,project,plan,task,attempt,role,"
    "provider,model,service_tier,input,cache_read,cache_write,cache_write_long,output,reasoning,"
    "searches,charged_usd,charged_tokens,charged_requests,first_cost,basis,provider_request_id,"
    "price) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr Sql kUpdateUsage =
    "UPDATE usage SET input=?,cache_read=?,cache_write=?,cache_write_long=?,output=?,reasoning=?,"
    "searches=?,charged_usd=?,charged_tokens=?,charged_requests=?,basis=?,provider_request_id=?,"
    "price=? WHERE sequence=COALESCE(?,(SELECT usage_sequence FROM reservation WHERE key=?))";
constexpr Sql kAddToRollup =
    "INSERT INTO rollup(day_us,project,plan,task,attempt,role,provider,model,calls,input,"
    "cache_read,cache_write,cache_write_long,output,reasoning,searches,cost,estimated)"
    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT(day_us,project,plan,task,attempt,role,provider,model) DO UPDATE SET"
    " calls=calls+excluded.calls,input=input+excluded.input,"
    "cache_read=cache_read+excluded.cache_read,cache_write=cache_write+excluded.cache_write,"
    "cache_write_long=cache_write_long+excluded.cache_write_long,output=output+excluded.output,"
    "reasoning=reasoning+excluded.reasoning,searches=searches+excluded.searches,"
    "cost=cost+excluded.cost,estimated=estimated+excluded.estimated";
constexpr Sql kAddToRollupOfPlan =
    "INSERT INTO rollup_of_plan(day_us,project,plan,role,provider,model,calls,input,"
    "cache_read,cache_write,cache_write_long,output,reasoning,searches,cost,estimated)"
    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT(day_us,project,plan,role,provider,model) DO UPDATE SET"
    " calls=calls+excluded.calls,input=input+excluded.input,"
    "cache_read=cache_read+excluded.cache_read,cache_write=cache_write+excluded.cache_write,"
    "cache_write_long=cache_write_long+excluded.cache_write_long,output=output+excluded.output,"
    "reasoning=reasoning+excluded.reasoning,searches=searches+excluded.searches,"
    "cost=cost+excluded.cost,estimated=estimated+excluded.estimated";
constexpr Sql kAddToRollupOfMonth =
    "INSERT INTO rollup_of_month(month_us,project,role,provider,model,calls,input,"
    "cache_read,cache_write,cache_write_long,output,reasoning,searches,cost,estimated)"
    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT(month_us,project,role,provider,model) DO UPDATE SET"
    " calls=calls+excluded.calls,input=input+excluded.input,"
    "cache_read=cache_read+excluded.cache_read,cache_write=cache_write+excluded.cache_write,"
    "cache_write_long=cache_write_long+excluded.cache_write_long,output=output+excluded.output,"
    "reasoning=reasoning+excluded.reasoning,searches=searches+excluded.searches,"
    "cost=cost+excluded.cost,estimated=estimated+excluded.estimated";
constexpr Sql kAddToCharged =
    "INSERT INTO charged(day_us,project,plan,task,attempt,role,usd,tokens,requests)"
    " VALUES(?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT(project,plan,task,attempt,role,day_us) DO UPDATE SET usd=usd+excluded.usd,"
    "tokens=tokens+excluded.tokens,requests=requests+excluded.requests";
constexpr Sql kAddAdjustment =
    "INSERT INTO adjustment(key,reservation,time_us,delta_usd,evidence) VALUES(?,?,?,?,?)";
constexpr Sql kAddPrice =
    "INSERT INTO price(" SLIPWAY_LEDGER_PRICE_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr Sql kAddReply = "INSERT INTO stored_reply(request_id,digest,body) VALUES(?,?,?)";
constexpr Sql kPutOwner =
    "INSERT INTO owner(owner,epoch) VALUES(?,?)"
    " ON CONFLICT(owner) DO UPDATE SET epoch=excluded.epoch";
constexpr Sql kAddFrozen =
    "INSERT INTO frozen_scope(" SLIPWAY_LEDGER_FROZEN_COLUMNS ") VALUES(?,?,?,?)";
constexpr Sql kDropFrozen = "DELETE FROM frozen_scope WHERE scope=?";
constexpr Sql kAddEntry =
    "INSERT INTO journal(" SLIPWAY_LEDGER_JOURNAL_COLUMNS ") VALUES(?,?,?,?,?,?)";

absl::Status WriteBudgets(Transaction& transaction, const Changes& changes) {
  for (const Budget& budget : changes.budgets) {
    RETURN_IF_ERROR(transaction.Execute(
        kPutBudget, budget.id, budget.scope, static_cast<int>(budget.metric),
        static_cast<int>(budget.window), budget.time_zone, budget.limit, budget.version,
        budget.frozen ? 1 : 0, WarnPercentsText(budget), budget.since));
  }
  return absl::OkStatus();
}

absl::Status AddReservation(Transaction& transaction, const Reservation& reservation,
                            const std::optional<int64_t>& usage) {
  const ReserveOrder& order = reservation.order;
  const ScopePath& scopes = order.scopes;
  const std::string denial =
      reservation.denial.has_value() ? EncodeDenial(*reservation.denial) : "";
  return transaction.Execute(
      kAddReservation, order.key, static_cast<int>(order.kind), static_cast<int>(reservation.state),
      scopes.project, scopes.plan, scopes.task, scopes.attempt, scopes.role, order.envelope,
      order.owner, order.provider, order.model, order.service_tier,
      absl::ToInt64Microseconds(order.lifetime), order.amounts.usd_nanos, order.amounts.tokens,
      order.amounts.requests, order.minimum.usd_nanos, order.minimum.tokens, order.minimum.requests,
      reservation.held.usd_nanos, reservation.held.tokens, reservation.held.requests,
      reservation.settled.usd_nanos, reservation.settled.tokens, reservation.settled.requests,
      reservation.charge_time, reservation.expire_time, denial, reservation.end_digest,
      reservation.drawing ? 1 : 0, static_cast<int64_t>(reservation.legs.size()), order.owner_epoch,
      EncodeLegs(reservation.legs), usage);
}

absl::Status UpdateReservation(Transaction& transaction, const Reservation& reservation,
                               const std::optional<int64_t>& usage) {
  return transaction.Execute(
      kUpdateReservation, static_cast<int>(reservation.state), reservation.held.usd_nanos,
      reservation.held.tokens, reservation.held.requests, reservation.settled.usd_nanos,
      reservation.settled.tokens, reservation.settled.requests, reservation.expire_time,
      reservation.end_digest, reservation.drawing ? 1 : 0,
      static_cast<int64_t>(reservation.legs.size()), EncodeLegs(reservation.legs), usage,
      reservation.key());
}

absl::Status WriteOwners(Transaction& transaction, const Changes& changes) {
  for (const OwnerEpoch& owner : changes.owners) {
    RETURN_IF_ERROR(transaction.Execute(kPutOwner, owner.owner, owner.epoch));
  }
  for (const FrozenScope& scope : changes.frozen) {
    RETURN_IF_ERROR(
        transaction.Execute(kAddFrozen, scope.scope, scope.reason, scope.actor, scope.freeze_time));
  }
  for (const std::string& scope : changes.unfrozen) {
    RETURN_IF_ERROR(transaction.Execute(kDropFrozen, scope));
  }
  return absl::OkStatus();
}

absl::Status WritePrices(Transaction& transaction, const Changes& changes) {
  for (const Price& price : changes.prices) {
    RETURN_IF_ERROR(transaction.Execute(
        kAddPrice, price.id, price.provider, price.model, price.service_tier, price.effective_time,
        price.context_threshold_tokens, price.input_pico_usd, price.cache_read_pico_usd,
        price.cache_write_pico_usd, price.cache_write_long_pico_usd, price.output_pico_usd,
        price.search_usd_nanos, price.source));
  }
  return absl::OkStatus();
}

void Add(RollupChange& sum, const RollupChange& change) {
  sum.calls += change.calls;
  sum.tokens.input += change.tokens.input;
  sum.tokens.cache_read += change.tokens.cache_read;
  sum.tokens.cache_write += change.tokens.cache_write;
  sum.tokens.cache_write_long += change.tokens.cache_write_long;
  sum.tokens.output += change.tokens.output;
  sum.tokens.reasoning += change.tokens.reasoning;
  sum.tokens.searches += change.tokens.searches;
  sum.cost_usd_nanos += change.cost_usd_nanos;
  sum.estimated_usd_nanos += change.estimated_usd_nanos;
}

}  // namespace

absl::Status ChangeWriter::Write(Transaction& transaction, Changes changes) {
  RETURN_IF_ERROR(WriteBudgets(transaction, changes));
  RETURN_IF_ERROR(AddUsage(transaction, changes));
  for (Reservation& reservation : changes.added) Keep(std::move(reservation), /*added=*/true);
  for (Reservation& reservation : changes.updated) Keep(std::move(reservation), /*added=*/false);
  RETURN_IF_ERROR(CorrectUsage(transaction, changes));
  RETURN_IF_ERROR(WriteOwners(transaction, changes));
  RETURN_IF_ERROR(WritePrices(transaction, changes));
  for (const StoredReply& reply : changes.replies) {
    RETURN_IF_ERROR(transaction.Execute(kAddReply, reply.request_id, reply.digest, reply.body));
  }
  for (const JournalEntry& entry : changes.journal) {
    RETURN_IF_ERROR(transaction.Execute(kAddEntry, entry.sequence, entry.time, entry.operation,
                                        entry.key, entry.body, entry.digest));
  }
  for (const events::EventDraft& draft : changes.events) {
    RETURN_IF_ERROR(log_.Append(transaction, changes.time, draft).status());
  }
  for (Bucket& bucket : changes.buckets) {
    const auto found = buckets_.find(std::tie(bucket.budget, bucket.window_start));
    if (found != buckets_.end()) {
      found->second = std::move(bucket);
    } else {
      BucketKey key(bucket.budget, bucket.window_start);
      buckets_.emplace(std::move(key), std::move(bucket));
    }
  }
  for (const RollupChange& change : changes.rollups) AddToSums(change);
  return absl::OkStatus();
}

void ChangeWriter::Keep(Reservation reservation, bool added) {
  const auto usage = usage_rows_.find(reservation.key());
  const auto found = by_key_.find(reservation.key());
  Row* row = found == by_key_.end() ? nullptr : found->second;
  if (row == nullptr) {
    row = &reservations_.emplace_back(Row{.reservation = std::move(reservation), .added = added});
  } else {
    by_key_.erase(found);  // Its key is text of the one that goes.
    row->reservation = std::move(reservation);
  }
  by_key_.emplace(row->reservation.key(), row);
  if (usage != usage_rows_.end()) row->usage = usage->second;
}

absl::Status ChangeWriter::AddUsage(Transaction& transaction, const Changes& changes) {
  for (const UsageRecord& record : changes.usage_added) {
    const ScopePath& scopes = record.scopes;
    const TokenCounts& tokens = record.tokens;
    RETURN_IF_ERROR(transaction.Execute(
        kAddUsage, record.reservation, record.record_time, record.charge_time, scopes.project,
        scopes.plan, scopes.task, scopes.attempt, scopes.role, record.provider, record.model,
        record.service_tier, tokens.input, tokens.cache_read, tokens.cache_write,
        tokens.cache_write_long, tokens.output, tokens.reasoning, tokens.searches,
        record.charged.usd_nanos, record.charged.tokens, record.charged.requests, record.first_cost,
        static_cast<int>(record.basis), record.provider_request_id, record.price));
    usage_rows_[record.reservation] = transaction.last_insert_rowid();
  }
  return absl::OkStatus();
}

absl::Status ChangeWriter::CorrectUsage(Transaction& transaction, const Changes& changes) {
  for (const UsageRecord& record : changes.usage_updated) {
    const TokenCounts& tokens = record.tokens;
    // The reservation may not be written yet, and then tells nothing of its row.
    const auto found = usage_rows_.find(record.reservation);
    const std::optional<int64_t> row =
        found == usage_rows_.end() ? std::nullopt : std::optional<int64_t>(found->second);
    RETURN_IF_ERROR(transaction.Execute(
        kUpdateUsage, tokens.input, tokens.cache_read, tokens.cache_write, tokens.cache_write_long,
        tokens.output, tokens.reasoning, tokens.searches, record.charged.usd_nanos,
        record.charged.tokens, record.charged.requests, static_cast<int>(record.basis),
        record.provider_request_id, record.price, row, record.reservation));
  }
  for (const Adjustment& adjustment : changes.adjustments) {
    RETURN_IF_ERROR(transaction.Execute(kAddAdjustment, adjustment.key, adjustment.reservation,
                                        adjustment.time, adjustment.delta_usd_nanos,
                                        adjustment.evidence));
  }
  return absl::OkStatus();
}

void ChangeWriter::AddToSums(const RollupChange& change) {
  const UsageRecord& record = change.record;
  const ScopePath& scopes = record.scopes;
  const absl::Time day = WindowStart(Window::kDay, absl::UTCTimeZone(), record.record_time);
  const auto key = std::tie(day, scopes.project, scopes.plan, scopes.task, scopes.attempt,
                            scopes.role, record.provider, record.model);
  if (const auto found = rollups_.find(key); found != rollups_.end()) {
    Add(found->second, change);
  } else {
    rollups_.emplace(key, change);
  }
  const absl::Time charge_day = WindowStart(Window::kDay, absl::UTCTimeZone(), record.charge_time);
  const auto charge_key =
      std::tie(charge_day, scopes.project, scopes.plan, scopes.task, scopes.attempt, scopes.role);
  auto charged = charged_.find(charge_key);
  if (charged == charged_.end()) charged = charged_.emplace(charge_key, Amounts()).first;
  for (const Metric metric : kMetrics) charged->second.Of(metric) += change.charged.Of(metric);
}

absl::Status ChangeWriter::FlushReservations(Transaction& transaction) {
  for (const Row& row : reservations_) {
    RETURN_IF_ERROR(row.added ? AddReservation(transaction, row.reservation, row.usage)
                              : UpdateReservation(transaction, row.reservation, row.usage));
  }
  by_key_.clear();
  reservations_.clear();
  usage_rows_.clear();
  return absl::OkStatus();
}

absl::Status ChangeWriter::Flush(Transaction& transaction) {
  RETURN_IF_ERROR(FlushReservations(transaction));
  for (const auto& [key, bucket] : buckets_) {
    RETURN_IF_ERROR(transaction.Execute(kPutBucket, bucket.budget, bucket.window_start,
                                        bucket.posted, bucket.reserved, bucket.overage,
                                        bucket.seeded, bucket.warned, bucket.frozen ? 1 : 0));
  }
  buckets_.clear();
  return FlushSums(transaction);
}

absl::Status ChangeWriter::FlushSums(Transaction& transaction) {
  for (const auto& [key, change] : rollups_) {
    const auto& [day, project, plan, task, attempt, role, provider, model] = key;
    const TokenCounts& tokens = change.tokens;
    RETURN_IF_ERROR(transaction.Execute(
        kAddToRollup, day, project, plan, task, attempt, role, provider, model, change.calls,
        tokens.input, tokens.cache_read, tokens.cache_write, tokens.cache_write_long, tokens.output,
        tokens.reasoning, tokens.searches, change.cost_usd_nanos, change.estimated_usd_nanos));
    RETURN_IF_ERROR(transaction.Execute(
        kAddToRollupOfPlan, day, project, plan, role, provider, model, change.calls, tokens.input,
        tokens.cache_read, tokens.cache_write, tokens.cache_write_long, tokens.output,
        tokens.reasoning, tokens.searches, change.cost_usd_nanos, change.estimated_usd_nanos));
    RETURN_IF_ERROR(transaction.Execute(
        kAddToRollupOfMonth, WindowStart(Window::kMonth, absl::UTCTimeZone(), day), project, role,
        provider, model, change.calls, tokens.input, tokens.cache_read, tokens.cache_write,
        tokens.cache_write_long, tokens.output, tokens.reasoning, tokens.searches,
        change.cost_usd_nanos, change.estimated_usd_nanos));
  }
  rollups_.clear();
  for (const auto& [key, amounts] : charged_) {
    const auto& [day, project, plan, task, attempt, role] = key;
    RETURN_IF_ERROR(transaction.Execute(kAddToCharged, day, project, plan, task, attempt, role,
                                        amounts.usd_nanos, amounts.tokens, amounts.requests));
  }
  charged_.clear();
  return absl::OkStatus();
}

}  // namespace slipway::ledger
