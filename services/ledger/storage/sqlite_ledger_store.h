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
#include "lib/sqlite/group_writer.h"
#include "services/ledger/domain/ledger_store.h"
#include "services/ledger/storage/change_writer.h"
#include "services/ledger/storage/sqlite_archive.h"
#include "services/ledger/storage/unstored_changes.h"

namespace slipway::ledger {

// The ledger in one SQLite file. One thread decides, against the mirror in memory; a second writes
// what was decided, in the same order and many decisions in one transaction, and sends the replies
// after its commit, while the first decides what has come in meanwhile. So the mirror is ahead of
// the file, and nobody is told before it has caught up. When it cannot, because a statement or a
// commit failed, the process ends at once and a restart reads the file.
class SqliteLedgerStore final : public LedgerStore {
 public:
  struct Options {
    std::string path;  // A file or ":memory:".
    Ledger::Options ledger;
    absl::Duration expiry_interval = absl::Seconds(1);

    // For a simulation: what SQLite writes through, and a store that runs when RunQueued is called.
    const char* vfs = nullptr;
    bool own_thread = true;
    // Told once when a change could not be stored, after the replies; when empty, the process ends.
    std::function<void(const absl::Status&)> on_lost;
  };

  // Opens or creates the file and starts to close holds that expire. The collaborators must outlive
  // the store. Fails as Database::Open does.
  static absl::StatusOr<std::unique_ptr<SqliteLedgerStore>> Open(const Options& options,
                                                                 base::Clock& clock,
                                                                 base::IdGenerator& ids);

  ~SqliteLedgerStore() override;

  events::EventLog& events() { return *log_; }

  // Decides and commits all that has queued up. Only without own_thread.
  void RunQueued();

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
      : options_(options),
        clock_(clock),
        unstored_(options.own_thread ? nullptr
                                     : std::function<void()>([this] { writer_->RunQueued(); })),
        ledger_(archive_, options.ledger) {}

  absl::Status Start(base::IdGenerator& ids);

  // Queues `decide`, StatusOr<T>(Ledger&, absl::Time now, Changes&).
  template <typename T, typename Decide>
  void Run(Decide decide, base::Reply<T> reply);
  absl::Status Queue(absl::AnyInvocable<void()> decision);
  // On the thread that decides.
  template <typename T, typename Decide>
  void DecideNow(Decide& decide, base::Reply<T> reply);
  // On the thread that writes.
  absl::Status Store(sqlite::Transaction& transaction, const Changes& changes);
  void CloseOwnerRest(std::string owner, int64_t epoch_before, Closing closed,
                      base::Reply<Closing> reply);
  void ArmExpiry();
  void CloseExpired();

  const Options options_;
  base::Clock& clock_;
  std::unique_ptr<sqlite::Database> database_;
  std::unique_ptr<events::EventLog> log_;
  UnstoredChanges unstored_;
  SqliteArchive archive_;  // These two belong to the thread that decides.
  Ledger ledger_;
  std::atomic<int64_t> held_ = 0;
  std::atomic<bool> auditing_ = false;
  std::unique_ptr<ChangeWriter> changes_;  // Of the writer's thread, too.
  std::unique_ptr<base::ThreadPool> repliers_;
  std::unique_ptr<sqlite::GroupWriter> writer_;
  std::unique_ptr<base::ThreadPool> decider_;         // One thread.
  std::deque<absl::AnyInvocable<void()>> undecided_;  // Without own_thread.

  base::Mutex expiry_mutex_;
  bool stopping_ ABSL_GUARDED_BY(expiry_mutex_) = false;
  std::unique_ptr<base::Timer> expiry_timer_ ABSL_GUARDED_BY(expiry_mutex_);
};

}  // namespace slipway::ledger
