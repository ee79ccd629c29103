#include "services/ledger/storage/sqlite_ledger_store.h"

#include <cstdlib>
#include <future>
#include <memory>
#include <utility>

#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/storage/auditor.h"
#include "services/ledger/storage/change_metrics.h"
#include "services/ledger/storage/change_writer.h"
#include "services/ledger/storage/lists.h"
#include "services/ledger/storage/log_replay.h"
#include "services/ledger/storage/price_file.h"
#include "services/ledger/storage/schema.h"

namespace slipway::ledger {
namespace {

// Making a message of a result and sending it takes as long as the decision did.
constexpr int kReplyThreads = 2;
constexpr size_t kRepliesMax =
    1'024;  // Jobs of several replies; then the writer sends them itself.

// Requests that wait to be decided: at 10,000 a second and more well under a second of work.
constexpr size_t kUndecidedMax = 4'096;
// Decisions that are not in the tables yet, a few batches of them and some 6 kB of memory each:
// then deciding waits.
constexpr int64_t kUnstoredMax = 4'096;

// Keys are random, so that the index of a few million of them is what has to stay in memory.
constexpr int kCacheKib = 64 << 10;
// The mirror may no longer tell what is on disk: nothing more may be decided.
[[noreturn]] void Die(const absl::Status& status) {
  log::Error("the ledger stops: a change could not be stored", {{"error", status.ToString()}});
  std::abort();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteLedgerStore>> SqliteLedgerStore::Open(const Options& options,
                                                                           base::Clock& clock,
                                                                           base::IdGenerator& ids) {
  std::unique_ptr<SqliteLedgerStore> store(new SqliteLedgerStore(options, clock));
  RETURN_IF_ERROR(store->OpenTables(ids));
  RETURN_IF_ERROR(store->StartLog());
  RETURN_IF_ERROR(store->database_->ReadUnsynced(
      [&store](sqlite::Reader& reader) { return LoadLedger(reader, store->ledger_); }));
  store->StartThreads();
  return store;
}

absl::Status SqliteLedgerStore::OpenTables(base::IdGenerator& ids) {
  const auto wait = [this] {
    return pipeline_ == nullptr ? absl::OkStatus() : pipeline_->WaitForAcknowledged();
  };
  ASSIGN_OR_RETURN(database_, sqlite::Database::Open(options_.path,
                                                     {.synchronous = sqlite::Synchronous::kFull,
                                                      .migrations = kMigrations,
                                                      .exclusive = options_.path != ":memory:",
                                                      .vfs = options_.vfs,
                                                      .gather_log = true,
                                                      .cache_kib = kCacheKib,
                                                      .checkpoint_pages = options_.checkpoint_pages,
                                                      .before_read = wait}));
  ASSIGN_OR_RETURN(log_, events::EventLog::Open(*database_, ids, "ledger"));
  changes_ = std::make_unique<ChangeWriter>(*log_);
  return absl::OkStatus();
}

// The tables are durable before the log is begun again, and the log is there before the tables say
// that it has to be.
absl::Status SqliteLedgerStore::StartLog() {
  decisions_ = std::make_unique<DecisionLog>(
      DecisionLog::Options{
          .database = options_.path, .vfs = options_.vfs, .bytes_max = options_.log_bytes_max},
      log_->uuid());
  ASSIGN_OR_RETURN(const LogReplay replay,
                   database_->Write([this](sqlite::Transaction& transaction) {
                     return ReplayLog(transaction, *decisions_, *changes_);
                   }));
  if (replay.found.decisions > 0) {
    log::Info("decisions of the log were brought into the tables",
              {{"decisions", replay.found.decisions}});
  }
  RETURN_IF_ERROR(decisions_->Start(replay.found.generation, replay.last));
  return replay.state.open ? absl::OkStatus() : SetLogOpen(*database_, true);
}

void SqliteLedgerStore::StartThreads() {
  held_ = static_cast<int64_t>(ledger_.mirror().held().size());
  if (options_.own_thread) {
    repliers_ = std::make_unique<base::ThreadPool>(
        base::ThreadPool::Options{.threads = kReplyThreads, .queue_max = kRepliesMax});
  }
  pipeline_ = std::make_unique<DecisionPipeline>(
      *decisions_, *database_, *changes_, clock_,
      DecisionPipeline::Options{.repliers = repliers_.get(),
                                .own_threads = options_.own_thread,
                                .on_applied = [this] { log_->NotifyAppended(); },
                                .on_lost = options_.on_lost ? options_.on_lost : Die});
  archive_.Use(*database_, *pipeline_);
  if (options_.own_thread) {
    decider_ = std::make_unique<base::ThreadPool>(
        base::ThreadPool::Options{.threads = 1, .queue_max = kUndecidedMax});
  }
  ArmExpiry();
}

SqliteLedgerStore::~SqliteLedgerStore() {
  std::unique_ptr<base::Timer> timer;
  {
    base::MutexLock lock(expiry_mutex_);
    stopping_ = true;
    timer = std::move(expiry_timer_);
  }
  timer.reset();  // Outside the lock, which its call may wait for.
  if (decider_ != nullptr) decider_->Stop();
  if (pipeline_ != nullptr) StopLog();
  if (repliers_ != nullptr) repliers_->Stop();
}

// What is left is a database that needs no log. When that fails, the log is still there.
void SqliteLedgerStore::StopLog() {
  pipeline_->Stop();
  absl::Status closed = pipeline_->failure();
  if (closed.ok()) closed = SetLogOpen(*database_, false);
  if (closed.ok()) closed = decisions_->Remove();
  if (!closed.ok()) {
    log::Warning("the log of decisions stays for the next start", {{"error", closed.ToString()}});
  }
}

template <typename T, typename Decide>
void SqliteLedgerStore::Run(Decide decide, base::Reply<T> reply) {
  const auto owed = std::make_shared<base::Reply<T>>(std::move(reply));
  const absl::Status queued = Queue([this, decide = std::move(decide), owed]() mutable {
    DecideNow<T>(decide, std::move(*owed));
  });
  if (!queued.ok()) std::move (*owed)(queued);
}

absl::Status SqliteLedgerStore::Queue(absl::AnyInvocable<void()> decision) {
  if (decider_ != nullptr) return decider_->TryRun(std::move(decision));
  undecided_.push_back(std::move(decision));
  return absl::OkStatus();
}

void SqliteLedgerStore::RunQueued() {
  while (!undecided_.empty()) {
    absl::AnyInvocable<void()> decision = std::move(undecided_.front());
    undecided_.pop_front();
    decision();
    if (undecided_.empty()) pipeline_->Log();  // Replies may ask for more.
  }
}

template <typename T, typename Decide>
void SqliteLedgerStore::DecideNow(Decide& decide, base::Reply<T> reply) {
  Changes changes;
  absl::Status lost = pipeline_->WaitUntil(kUnstoredMax);
  lost.Update(archive_.failure());
  absl::StatusOr<T> result = absl::UnknownError("not decided");
  // A decision that was broken off has left the mirror between two states: none may follow it.
  if (lost.ok()) {
    result = decide(ledger_, clock_.Now(), changes);
    held_.store(static_cast<int64_t>(ledger_.mirror().held().size()), std::memory_order_relaxed);
    lost = archive_.failure();
  }
  if (!result.ok() || !lost.ok()) changes = Changes();
  pipeline_->Add(
      std::move(changes),
      [result = std::move(result), reply = std::move(reply)](const absl::Status& loss) mutable {
        if (!loss.ok()) return std::move(reply)(loss);
        std::move(reply)(std::move(result));
      },
      std::move(lost));
}

void SqliteLedgerStore::Reserve(ReserveOrder order, base::Reply<Reservation> reply) {
  Run<Reservation>(
      [order = std::move(order)](Ledger& ledger, absl::Time now, Changes& changes) mutable {
        return ledger.Reserve(std::move(order), now, changes);
      },
      std::move(reply));
}

void SqliteLedgerStore::Settle(SettleOrder order, base::Reply<Settlement> reply) {
  Run<Settlement>(
      [order = std::move(order)](Ledger& ledger, absl::Time now, Changes& changes) {
        return ledger.Settle(order, now, changes);
      },
      std::move(reply));
}

void SqliteLedgerStore::Release(std::string key, Proof proof, base::Reply<Reservation> reply) {
  Run<Reservation>(
      [key = std::move(key), proof](Ledger& ledger, absl::Time now, Changes& changes) {
        return ledger.Release(key, proof, now, changes);
      },
      std::move(reply));
}

void SqliteLedgerStore::Extend(std::string key, absl::Duration lifetime,
                               base::Reply<Reservation> reply) {
  Run<Reservation>(
      [key = std::move(key), lifetime](Ledger& ledger, absl::Time now, Changes& changes) {
        return ledger.Extend(key, lifetime, now, changes);
      },
      std::move(reply));
}

void SqliteLedgerStore::TopUp(TopUpOrder order, base::Reply<ledger::TopUp> reply) {
  Run<ledger::TopUp>(
      [order = std::move(order)](Ledger& ledger, absl::Time now, Changes& changes) {
        return ledger.TopUp(order, now, changes);
      },
      std::move(reply));
}

void SqliteLedgerStore::FreezeScope(FreezeOrder order,
                                    base::Reply<std::optional<FrozenScope>> reply) {
  Run<std::optional<FrozenScope>>(
      [order = std::move(order)](Ledger& ledger, absl::Time now, Changes& changes) {
        return ledger.FreezeScope(order, now, changes);
      },
      std::move(reply));
}

void SqliteLedgerStore::Adjust(AdjustOrder order, base::Reply<Reservation> reply) {
  Run<Reservation>(
      [order = std::move(order)](Ledger& ledger, absl::Time now, Changes& changes) {
        return ledger.Adjust(order, now, changes);
      },
      std::move(reply));
}

void SqliteLedgerStore::CloseOwner(std::string owner, int64_t epoch_before,
                                   base::Reply<Closing> reply) {
  CloseOwnerRest(std::move(owner), epoch_before, {}, std::move(reply));
}

void SqliteLedgerStore::CloseOwnerRest(std::string owner, int64_t epoch_before, Closing closed,
                                       base::Reply<Closing> reply) {
  Run<Closing>(
      [owner, epoch_before](Ledger& ledger, absl::Time now, Changes& changes) {
        return ledger.CloseOwner(owner, epoch_before, now, changes);
      },
      base::Reply<Closing>([this, owner, epoch_before, closed,
                            reply = std::move(reply)](absl::StatusOr<Closing> result) mutable {
        if (!result.ok()) return std::move(reply)(result.status());
        closed.closed += result->closed;
        closed.charged_usd_nanos += result->charged_usd_nanos;
        if (result->closed == 0) return std::move(reply)(closed);
        CloseOwnerRest(std::move(owner), epoch_before, closed, std::move(reply));
      }));
}

void SqliteLedgerStore::SetBudget(BudgetOrder order, base::Reply<Balance> reply) {
  Run<Balance>(
      [order = std::move(order)](Ledger& ledger, absl::Time now, Changes& changes) {
        return ledger.SetBudget(order, now, changes);
      },
      std::move(reply));
}

void SqliteLedgerStore::DeleteBudget(std::string id, std::string actor,
                                     base::Reply<std::string> reply) {
  Run<std::string>(
      [id = std::move(id), actor = std::move(actor)](
          Ledger& ledger, absl::Time now, Changes& changes) -> absl::StatusOr<std::string> {
        RETURN_IF_ERROR(ledger.DeleteBudget(id, actor, now, changes));
        return id;
      },
      std::move(reply));
}

void SqliteLedgerStore::ImportPrices(std::vector<Price> rows, std::vector<std::string> accept,
                                     base::Reply<PriceBook::Import> reply) {
  Run<PriceBook::Import>(
      [rows = std::move(rows), accept = std::move(accept)](Ledger& ledger, absl::Time now,
                                                           Changes& changes) {
        return ledger.ImportPrices(rows, accept, now, changes);
      },
      std::move(reply));
}

absl::StatusOr<int> SqliteLedgerStore::ImportPriceFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::vector<Price> rows, ReadPriceFile(path));
  std::promise<absl::StatusOr<int>> imported;
  Run<int>(
      [&rows](Ledger& ledger, absl::Time now, Changes& changes) -> absl::StatusOr<int> {
        std::erase_if(rows, [&ledger](const Price& row) { return ledger.prices().Knows(row); });
        ASSIGN_OR_RETURN(const PriceBook::Import import,
                         ledger.ImportPrices(rows, {}, now, changes));
        return static_cast<int>(import.added.size());
      },
      base::Reply<int>(
          [&imported](absl::StatusOr<int> result) { imported.set_value(std::move(result)); }));
  if (decider_ == nullptr) RunQueued();
  return imported.get_future().get();
}

void SqliteLedgerStore::WorstCase(QuoteOrder order, base::Reply<Quote> reply) {
  Run<Quote>([order = std::move(order)](Ledger& ledger, absl::Time now,
                                        Changes&) { return ledger.prices().WorstCase(order, now); },
             std::move(reply));
}

void SqliteLedgerStore::ArmExpiry() {
  base::MutexLock lock(expiry_mutex_);
  if (stopping_) return;
  expiry_timer_ = clock_.RunAfter(options_.expiry_interval, [this] { CloseExpired(); });
}

void SqliteLedgerStore::CloseExpired() {
  Run<Closing>(
      [](Ledger& ledger, absl::Time now, Changes& changes) {
        return ledger.CloseExpired(now, changes);
      },
      base::Reply<Closing>([this](absl::StatusOr<Closing> closing) {
        if (!closing.ok()) {
          log::Warning("expired holds were not closed", {{"error", closing.status().ToString()}});
        } else if (closing->closed > 0) {
          log::Info("expired holds closed", {{"closed", closing->closed},
                                             {"charged_usd_nanos", closing->charged_usd_nanos}});
          return CloseExpired();
        }
        ArmExpiry();
      }));
}

int64_t SqliteLedgerStore::ReservedUsdNanos() {
  return database_->Read([](sqlite::Reader& reader) { return SelectReservedUsd(reader); })
      .value_or(0);
}

absl::StatusOr<Page<Reservation>> SqliteLedgerStore::ListReservations(
    const ReservationFilter& filter, const PageRequest& page) {
  return database_->Read(
      [&](sqlite::Reader& reader) { return SelectReservations(reader, filter, page); });
}

absl::StatusOr<Page<Balance>> SqliteLedgerStore::ListBalances(const std::string& scope,
                                                              const PageRequest& page) {
  return database_->Read(
      [&](sqlite::Reader& reader) { return SelectBalances(reader, scope, clock_.Now(), page); });
}

absl::StatusOr<BudgetHistory> SqliteLedgerStore::GetBudget(const std::string& id) {
  return database_->Read(
      [&](sqlite::Reader& reader) { return SelectBudgetHistory(reader, id, clock_.Now()); });
}

absl::StatusOr<Page<FrozenScope>> SqliteLedgerStore::ListFrozen(const PageRequest& page) {
  return database_->Read([&](sqlite::Reader& reader) { return SelectFrozen(reader, page); });
}

absl::StatusOr<Page<UsageRollup>> SqliteLedgerStore::QueryUsage(const UsageFilter& filter,
                                                                const UsageGroups& groups,
                                                                const PageRequest& page) {
  return database_->Read(
      [&](sqlite::Reader& reader) { return SelectRollups(reader, filter, groups, page); });
}

absl::StatusOr<Page<UsageRecord>> SqliteLedgerStore::ListUsage(const std::string& scope,
                                                               const PageRequest& page) {
  return database_->Read([&](sqlite::Reader& reader) { return SelectUsage(reader, scope, page); });
}

absl::StatusOr<Page<Price>> SqliteLedgerStore::ListPrices(const PriceFilter& filter,
                                                          const PageRequest& page) {
  return database_->Read(
      [&](sqlite::Reader& reader) { return SelectPrices(reader, filter, page); });
}

absl::StatusOr<std::vector<Price>> SqliteLedgerStore::ReadPrices(const PriceText& file) {
  return ParsePrices(file.text, file.name);
}

absl::StatusOr<AuditResult> SqliteLedgerStore::Audit(IsCancelled is_cancelled) {
  if (auditing_.exchange(true)) return AuditRunning();
  const absl::Time time = clock_.Now();
  absl::StatusOr<std::vector<AuditCheck>> checks = database_->Read(
      [&](sqlite::Reader& reader) { return Auditor(reader, time, std::move(is_cancelled)).Run(); });
  auditing_ = false;
  RETURN_IF_ERROR(checks.status());
  return AuditResult{*std::move(checks), time};
}

}  // namespace slipway::ledger
