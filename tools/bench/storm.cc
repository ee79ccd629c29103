#include "tools/bench/storm.h"

#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "services/models/rpc/ledger_stream.h"
#include "tools/bench/ledger_client.h"
#include "tools/bench/server_process.h"

namespace slipway::bench {
namespace {

namespace pb = ledger::v1;
using Stub = LedgerClient::Stub;

// Longer than any restart; a ledger that stays away fails the storm instead of hanging it.
constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kReturnedOneIn = 7;
constexpr int64_t kShortestMicros = 20'000;
constexpr int64_t kLongestMicros = 250'000;
constexpr int kHoldsPage = 1'000;

// Waits for `delay` or until `stop` is set; true when it was.
class Pause final {
 public:
  void Stop() {
    base::MutexLock lock(mutex_);
    stopped_ = true;
    changed_.NotifyAll();
  }

  bool Wait(absl::Duration delay) {
    bool due = false;
    const std::unique_ptr<base::Timer> timer = base::RealClock().RunAfter(delay, [this, &due] {
      base::MutexLock lock(mutex_);
      due = true;
      changed_.NotifyAll();
    });
    base::MutexLock lock(mutex_);
    while (!due && !stopped_) changed_.Wait(mutex_);
    return stopped_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

template <typename Method, typename Request>
auto Ask(Stub& stub, Method method, const Request& request) {
  return rpc::CallWithRetry(base::RealClock(), stub, method, request, {.timeout = kPatience});
}

pb::ReserveRequest CallOf(const std::string& key) {
  pb::ReserveRequest request = ReserveRequestOf(key);
  request.mutable_lifetime()->set_seconds(3'600);  // Nothing expires by itself.
  return request;
}

// A client's way to the ledger: calls, or a stream. Asks again, with the same key, until there is
// an answer.
class Asking final {
 public:
  Asking(models::LedgerStream* stream, Stub& stub) : stream_(stream), stub_(stub) {}

  absl::StatusOr<pb::Reservation> Reserve(const pb::ReserveRequest& request) {
    if (stream_ == nullptr) return Reservation(Ask(stub_, &Stub::Reserve, request));
    models::LedgerStream::Operation operation;
    *operation.mutable_reserve() = request;
    ASSIGN_OR_RETURN(const models::LedgerStream::Answer answer, Run(operation));
    return answer.reserve().reservation();
  }
  absl::StatusOr<pb::Reservation> Settle(const pb::SettleRequest& request) {
    if (stream_ == nullptr) return Reservation(Ask(stub_, &Stub::Settle, request));
    models::LedgerStream::Operation operation;
    *operation.mutable_settle() = request;
    ASSIGN_OR_RETURN(const models::LedgerStream::Answer answer, Run(operation));
    return answer.settle().reservation();
  }
  absl::StatusOr<pb::Reservation> Release(const pb::ReleaseRequest& request) {
    if (stream_ == nullptr) return Reservation(Ask(stub_, &Stub::Release, request));
    models::LedgerStream::Operation operation;
    *operation.mutable_release() = request;
    ASSIGN_OR_RETURN(const models::LedgerStream::Answer answer, Run(operation));
    return answer.release().reservation();
  }

 private:
  template <typename Response>
  static absl::StatusOr<pb::Reservation> Reservation(const absl::StatusOr<Response>& response) {
    RETURN_IF_ERROR(response.status());
    return response->reservation();
  }

  absl::StatusOr<models::LedgerStream::Answer> Run(
      const models::LedgerStream::Operation& operation) {
    absl::StatusOr<models::LedgerStream::Answer> answer;
    RETURN_IF_ERROR(rpc::RetryUnavailable(base::RealClock(), kPatience, [&](absl::Duration left) {
      answer = stream_->Run(operation, left);
      return answer.status();
    }));
    return answer;
  }

  models::LedgerStream* const stream_;
  Stub& stub_;
};

class Storm final {
 public:
  explicit Storm(const StormOptions& options) : options_(options) {}

  absl::StatusOr<StormReport> Run() {
    RETURN_IF_ERROR(Start());
    LedgerClient client(ledger_->address());
    RETURN_IF_ERROR(client.WaitReady());
    RETURN_IF_ERROR(client.SetBudgets(int64_t{1} << 60));
    RETURN_IF_ERROR(client.SetCallLimit(kProject, options_.limit));
    std::vector<std::thread> threads;
    working_ = options_.clients;
    for (int i = 0; i < options_.clients; ++i) {
      threads.emplace_back([this, i] { Note(Work(i)); });
    }
    Note(KillAndAudit(client));
    for (std::thread& thread : threads) thread.join();
    {
      base::MutexLock lock(mutex_);
      RETURN_IF_ERROR(error_);
    }
    RETURN_IF_ERROR(Audit(client));
    RETURN_IF_ERROR(Compare(client));
    RETURN_IF_ERROR(ledger_->Stop());
    return report_;
  }

 private:
  absl::Status Start() {
    ASSIGN_OR_RETURN(ServerProcess process,
                     ServerProcess::StartLedger(options_.program,
                                                absl::StrCat(options_.directory, "/storm.sock"),
                                                absl::StrCat(options_.directory, "/storm.db")));
    ledger_.emplace(std::move(process));
    return absl::OkStatus();
  }

  void Note(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    error_.Update(status);
  }

  // Every other client calls; the rest share one stream, as those of a service do.
  absl::Status Work(int number) {
    LedgerClient client(absl::StrCat("unix:", options_.directory, "/storm.sock"));
    const absl::Status status =
        WorkUntilSpent(Asking(number % 2 == 0 ? &stream_ : nullptr, client.stub()));
    if (working_.fetch_sub(1) == 1) pause_.Stop();
    return status;
  }

  absl::Status WorkUntilSpent(Asking ledger) {
    for (int turn = 1;; ++turn) {
      const std::string key = NewKey();
      ASSIGN_OR_RETURN(const pb::Reservation reserved, ledger.Reserve(CallOf(key)));
      if (reserved.state() == pb::Reservation::STATE_DENIED) {
        if (reserved.denial().cause() == pb::Denial::CAUSE_LIMIT) {
          return absl::OkStatus();
        }
        continue;  // A sibling holds the last ones and may give them back.
      }
      if (turn % kReturnedOneIn == 0) {
        pb::ReleaseRequest release;
        release.set_key(key);
        release.set_proof(pb::ReleaseRequest::PROOF_NOT_SENT);
        RETURN_IF_ERROR(ledger.Release(release).status());
        continue;
      }
      ++granted_;
      billed_ += kSpentNanos;  // The provider is called, and bills.
      ASSIGN_OR_RETURN(const pb::Reservation settled, ledger.Settle(SettleRequestOf(key)));
      base::MutexLock lock(mutex_);
      acknowledged_.push_back(key);
      if (settled.state() != pb::Reservation::STATE_SETTLED) ++report_.lost;
    }
  }

  absl::Status KillAndAudit(LedgerClient& client) {
    std::mt19937_64 random(options_.seed);
    for (int kill = 0; kill < options_.kills; ++kill) {
      const auto span = static_cast<uint64_t>(kLongestMicros - kShortestMicros);
      const auto wait = absl::Microseconds(kShortestMicros + static_cast<int64_t>(random() % span));
      if (pause_.Wait(wait)) break;
      ledger_->Kill();
      RETURN_IF_ERROR(Start());
      ++report_.kills;
      RETURN_IF_ERROR(client.WaitReady());
      RETURN_IF_ERROR(Audit(client));
    }
    return absl::OkStatus();
  }

  absl::Status Audit(LedgerClient& client) {
    ASSIGN_OR_RETURN(const pb::AuditResponse audit,
                     Ask(client.stub(), &Stub::Audit, pb::AuditRequest()));
    ++report_.audits;
    for (const auto& check : audit.checks()) report_.audit_breaches += check.breaches_size();
    return absl::OkStatus();
  }

  // Asks the ledger what it knows, now that everybody is done.
  absl::Status Compare(LedgerClient& client) {
    report_.limit = options_.limit;
    report_.granted = granted_;
    report_.billed_usd_nanos = billed_;
    ASSIGN_OR_RETURN(const pb::QueryUsageResponse usage,
                     Ask(client.stub(), &Stub::QueryUsage, pb::QueryUsageRequest()));
    for (const pb::UsageRollup& rollup : usage.rollups()) {
      report_.recorded_calls += rollup.calls();
      report_.recorded_usd_nanos += rollup.cost_usd_nanos();
    }
    pb::ListReservationsRequest held;
    held.set_state(pb::Reservation::STATE_HELD);
    held.set_page_size(kHoldsPage);
    ASSIGN_OR_RETURN(const pb::ListReservationsResponse holds,
                     Ask(client.stub(), &Stub::ListReservations, held));
    report_.leftover_holds = holds.reservations_size();
    // The same request again must find the same end, whatever happened in between.
    base::MutexLock lock(mutex_);
    for (const std::string& key : acknowledged_) {
      const absl::StatusOr<pb::SettleResponse> again =
          Ask(client.stub(), &Stub::Settle, SettleRequestOf(key));
      if (!again.ok() || again->reservation().state() != pb::Reservation::STATE_SETTLED) {
        ++report_.lost;
      }
    }
    return absl::OkStatus();
  }

  const StormOptions options_;
  models::LedgerStream stream_{
      rpc::MakeChannel(absl::StrCat("unix:", options_.directory, "/storm.sock")), "storm"};
  std::optional<ServerProcess> ledger_;
  Pause pause_;
  std::atomic<int> working_ = 0;
  std::atomic<int64_t> granted_ = 0;
  std::atomic<int64_t> billed_ = 0;
  base::Mutex mutex_;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> acknowledged_ ABSL_GUARDED_BY(mutex_);
  StormReport report_;
};

}  // namespace

absl::StatusOr<StormReport> RunStorm(const StormOptions& options) { return Storm(options).Run(); }

}  // namespace slipway::bench
