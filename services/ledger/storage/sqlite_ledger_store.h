#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/base/mutex.h"
#include "lib/base/thread_pool.h"
#include "lib/events/event_log.h"
#include "lib/sqlite/database.h"
#include "services/ledger/domain/ledger_store.h"
#include "services/ledger/storage/change_writer.h"
#include "services/ledger/storage/decision_log.h"
#include "services/ledger/storage/decision_pipeline.h"
#include "services/ledger/storage/sqlite_archive.h"

namespace slipway::ledger {

// The ledger in one SQLite file and a log of decisions beside it. One thread decides, against the
// mirror in memory; a second logs what was decided, many decisions with one sync, and sends the
// replies; a third brings it into the tables. So the mirror is ahead of the log and the log ahead
// of the tables: nobody is told before the log is synced, and whoever reads the tables waits until
// they hold what was told. When something cannot be written, the process ends at once, and a
// restart brings what the log has into the tables.
class SqliteLedgerStore final : public LedgerStore {
 public:
  struct Options {
    std::string path;  // A file or ":memory:".
    Ledger::Options ledger;
    absl::Duration expiry_interval = absl::Seconds(1);

    // For a simulation: what SQLite writes through, and a store that runs when RunQueued is called.
    const char* vfs = nullptr;
    bool own_thread = true;
    // A commit of the tables waits while their log is carried over: rarely, and of pages that
    // changed often once.
    int checkpoint_pages = 16 << 10;
    int64_t log_bytes_max = DecisionLog::Options().bytes_max;  // Of each file of the log.
    // Told once when a change could not be stored, after the replies; when empty, the process ends.
    std::function<void(const absl::Status&)> on_lost;
  };

  // Opens or creates the files, brings what is only in the log into the tables and starts to close
  // holds that expire. The collaborators must outlive the store. Fails as Database::Open does, or
  // with DecisionsCorrupt, DecisionsMissing or DecisionsForeign.
  static absl::StatusOr<std::unique_ptr<SqliteLedgerStore>> Open(const Options& options,
                                                                 base::Clock& clock,
                                                                 base::IdGenerator& ids);

  ~SqliteLedgerStore() override;

  events::EventLog& events() { return *log_; }

  // Decides, logs and answers all that has queued up; brings what was logged into the tables. Only
  // without own_thread.
  void RunQueued();
  void ApplyLogged() { pipeline_->Apply(); }

  // How many acknowledged decisions are not in the tables yet.
  int64_t unapplied() { return pipeline_->waiting(); }

  // What open holds keep, in nano-USD; 0 when it cannot be read.
  int64_t ReservedUsdNanos();

  // How many holds are open.
  int64_t held() const { return held_.load(std::memory_order_relaxed); }

  void Reserve(ReserveOrder order, base::Reply<Reservation> reply) override;
  void Settle(SettleOrder order, base::Reply<Settlement> reply) override;
  void Release(std::string key, Proof proof, base::Reply<Reservation> reply) override;
  void Extend(std::string key, absl::Duration lifetime, base::Reply<Reservation> reply) override;
  void TopUp(TopUpOrder order, base::Reply<ledger::TopUp> reply) override;
  void Adjust(AdjustOrder order, base::Reply<Reservation> reply) override;
  void CloseOwner(std::string owner, int64_t epoch_before, base::Reply<Closing> reply) override;
  void FreezeScope(FreezeOrder order, base::Reply<std::optional<FrozenScope>> reply) override;
  void SetBudget(BudgetOrder order, base::Reply<Balance> reply) override;
  void DeleteBudget(std::string id, std::string actor, base::Reply<std::string> reply) override;
  void ImportPrices(std::vector<Price> rows, std::vector<std::string> accept,
                    base::Reply<PriceBook::Import> reply) override;
  void WorstCase(QuoteOrder order, base::Reply<Quote> reply) override;

  // Imports rows of a file that the operator trusts, and waits: rows that are known are left alone,
  // also when the file has other rates for them. Returns how many were added.
  absl::StatusOr<int> ImportPriceFile(const std::string& path);

  absl::StatusOr<Page<Reservation>> ListReservations(const ReservationFilter& filter,
                                                     const PageRequest& page) override;
  absl::StatusOr<Page<Balance>> ListBalances(const std::string& scope,
                                             const PageRequest& page) override;
  absl::StatusOr<BudgetHistory> GetBudget(const std::string& id) override;
  absl::StatusOr<Page<FrozenScope>> ListFrozen(const PageRequest& page) override;
  absl::StatusOr<Page<UsageRollup>> QueryUsage(const UsageFilter& filter, const UsageGroups& groups,
                                               const PageRequest& page) override;
  absl::StatusOr<Page<UsageRecord>> ListUsage(const std::string& scope,
                                              const PageRequest& page) override;
  absl::StatusOr<Page<Price>> ListPrices(const PriceFilter& filter,
                                         const PageRequest& page) override;
  absl::StatusOr<std::vector<Price>> ReadPrices(const PriceText& file) override;
  absl::StatusOr<AuditResult> Audit(IsCancelled is_cancelled = nullptr) override;

 private:
  SqliteLedgerStore(const Options& options, base::Clock& clock)
      : options_(options), clock_(clock), ledger_(archive_, options.ledger) {}

  absl::Status OpenTables(base::IdGenerator& ids);
  absl::Status StartLog();
  void StartThreads();
  void StopLog();

  // Queues `decide`, StatusOr<T>(Ledger&, absl::Time now, Changes&).
  template <typename T, typename Decide>
  void Run(Decide decide, base::Reply<T> reply);
  absl::Status Queue(absl::AnyInvocable<void()> decision);
  // On the thread that decides.
  template <typename T, typename Decide>
  void DecideNow(Decide& decide, base::Reply<T> reply);
  void CloseOwnerRest(std::string owner, int64_t epoch_before, Closing closed,
                      base::Reply<Closing> reply);
  void ArmExpiry();
  void CloseExpired();

  const Options options_;
  base::Clock& clock_;
  std::unique_ptr<sqlite::Database> database_;
  std::unique_ptr<events::EventLog> log_;
  SqliteArchive archive_;  // These two belong to the thread that decides.
  Ledger ledger_;
  std::atomic<int64_t> held_ = 0;
  std::atomic<bool> auditing_ = false;
  std::unique_ptr<ChangeWriter> changes_;  // Of the thread that brings decisions into the tables.
  std::unique_ptr<DecisionLog> decisions_;
  std::unique_ptr<base::ThreadPool> repliers_;
  std::unique_ptr<DecisionPipeline> pipeline_;
  std::unique_ptr<base::ThreadPool> decider_;         // One thread.
  std::deque<absl::AnyInvocable<void()>> undecided_;  // Without own_thread.

  base::Mutex expiry_mutex_;
  bool stopping_ ABSL_GUARDED_BY(expiry_mutex_) = false;
  std::unique_ptr<base::Timer> expiry_timer_ ABSL_GUARDED_BY(expiry_mutex_);
};

}  // namespace slipway::ledger
