#include "services/ledger/storage/decision_pipeline.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/storage/change_codec.h"
#include "services/ledger/storage/change_metrics.h"

namespace slipway::ledger {
namespace {

// Replies that one job of an executor sends: few enough to spread a batch over its threads.
constexpr size_t kRepliesTogether = 16;

// Decisions of one record: larger ones hold back the replies of the first.
constexpr size_t kRecordBytesMax = 1 << 20;

// The longer decisions wait for the tables, the more of them change the same rows, which are then
// written once; nobody but readers and watchers of events notices. Those who read do not wait.
constexpr absl::Duration kApplyPause = absl::Milliseconds(25);
constexpr size_t kApplyTogether = 1'024;

int64_t FirstOf(const Changes& changes) { return changes.journal.front().sequence; }
int64_t LastOf(const Changes& changes) { return changes.journal.back().sequence; }

}  // namespace

DecisionPipeline::DecisionPipeline(DecisionLog& log, sqlite::Database& database,
                                   ChangeWriter& writer, base::Clock& clock, Options options)
    : log_(log),
      database_(database),
      writer_(writer),
      clock_(clock),
      options_(std::move(options)),
      unstored_([this] { Urge(); }) {
  base::MutexLock lock(logged_mutex_);
  applied_ = durable_ = wanted_ = log_.turn_needs();
  if (!options_.own_threads) return;
  log_thread_ = std::thread([this] { LogLoop(); });
  apply_thread_ = std::thread([this] { ApplyLoop(); });
}

void DecisionPipeline::Stop() {
  base::MutexLock stop_lock(stop_mutex_);
  {
    base::MutexLock lock(added_mutex_);
    added_all_ = true;
  }
  added_changed_.NotifyAll();
  if (log_thread_.joinable()) log_thread_.join();
  {
    base::MutexLock lock(logged_mutex_);
    logged_all_ = true;
  }
  logged_changed_.NotifyAll();
  if (apply_thread_.joinable()) apply_thread_.join();
  if (!options_.own_threads) Urge();
}

void DecisionPipeline::Add(Changes changes, Answer answer, absl::Status lost) {
  if (!changes.empty()) {
    ++added_count_;
    unstored_.Add(changes);
  }
  bool first = false;
  {
    base::MutexLock lock(added_mutex_);
    first = added_.empty();
    added_.push_back({std::move(changes), std::move(answer), std::move(lost)});
  }
  if (first) added_changed_.NotifyOne();
}

void DecisionPipeline::LogLoop() {
  while (true) {
    Decisions decisions;
    {
      base::MutexLock lock(added_mutex_);
      while (added_.empty() && !added_all_) added_changed_.Wait(added_mutex_);
      if (added_.empty()) return;
      decisions.swap(added_);
    }
    LogAll(std::move(decisions));
  }
}

void DecisionPipeline::Log() {
  while (true) {
    Decisions decisions;
    {
      base::MutexLock lock(added_mutex_);
      decisions.swap(added_);
    }
    if (decisions.empty()) return;
    LogAll(std::move(decisions));
  }
}

// A record at a time, so that its decisions can reach the tables while the next waits for room.
void DecisionPipeline::LogAll(Decisions decisions) {
  auto next = decisions.begin();
  while (next != decisions.end()) {
    Decisions logged;
    absl::Status written = failure();
    if (written.ok()) {
      written = WriteRecord(next, decisions.end(), logged);
      if (!written.ok()) written = DecisionLost(written);
    }
    if (!written.ok()) {
      std::move(next, decisions.end(), std::back_inserter(logged));
      return Lose(std::move(logged), written);
    }
    HandOver(logged);
    Reply(std::move(logged));
  }
}

// Moves what it has written from `next` on to `logged`.
absl::Status DecisionPipeline::WriteRecord(Decisions::iterator& next, Decisions::iterator end,
                                           Decisions& logged) {
  const absl::Duration begin = clock_.Elapsed();
  DecisionLog::BeginRecord(record_);
  int64_t first = 0;
  int64_t last = 0;
  int64_t count = 0;
  absl::Status lost;
  for (; next != end && lost.ok() && record_.size() < kRecordBytesMax; ++next) {
    const Changes& changes = next->changes;
    lost = next->lost;
    if (!changes.empty()) {
      if (count++ == 0) first = FirstOf(changes);
      last = LastOf(changes);
      AppendChanges(changes, record_);
    }
    logged.push_back(std::move(*next));
  }
  RETURN_IF_ERROR(lost);
  if (count == 0) return absl::OkStatus();
  if (!log_.HasRoom(record_)) RETURN_IF_ERROR(MakeRoom());
  RETURN_IF_ERROR(log_.Append(first, last, record_));
  CountLogged(count, static_cast<int64_t>(record_.size()), clock_.Elapsed() - begin);
  return absl::OkStatus();
}

absl::Status DecisionPipeline::MakeRoom() {
  if (!options_.own_threads) Apply();
  {
    base::MutexLock lock(logged_mutex_);
    urgent_ = std::max(urgent_, logged_count_);
    logged_changed_.NotifyOne();
    while (durable_ < log_.turn_needs() && failure_.ok()) applied_changed_.Wait(logged_mutex_);
    RETURN_IF_ERROR(failure_);
  }
  RETURN_IF_ERROR(log_.Turn());
  base::MutexLock lock(logged_mutex_);
  wanted_ = log_.turn_needs();
  logged_changed_.NotifyOne();
  return absl::OkStatus();
}

void DecisionPipeline::HandOver(Decisions& decisions) {
  bool wake = false;
  {
    base::MutexLock lock(logged_mutex_);
    const size_t before = logged_.size();
    for (Decision& decision : decisions) {
      if (!decision.changes.empty()) logged_.push_back(std::move(decision.changes));
    }
    logged_count_ += static_cast<int64_t>(logged_.size() - before);
    wake = (before == 0 && !logged_.empty()) ||
           (before < kApplyTogether && logged_.size() >= kApplyTogether);
  }
  if (wake) logged_changed_.NotifyOne();
}

void DecisionPipeline::Reply(Decisions decisions) {
  const auto shared = std::make_shared<Decisions>(std::move(decisions));
  const auto answer = [shared](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      (*shared)[i].answer(absl::OkStatus());
      (*shared)[i].answer = nullptr;
    }
  };
  if (options_.repliers == nullptr) return answer(0, shared->size());
  for (size_t begin = 0; begin < shared->size(); begin += kRepliesTogether) {
    const size_t end = std::min(begin + kRepliesTogether, shared->size());
    if (!options_.repliers->TryRun([=] { answer(begin, end); }).ok()) answer(begin, end);
  }
}

// The process may end with this call: nothing is left to others.
void DecisionPipeline::Lose(Decisions decisions, const absl::Status& cause) {
  bool first = false;
  {
    base::MutexLock lock(logged_mutex_);
    first = failure_.ok();
    if (first) failure_ = cause;
  }
  applied_changed_.NotifyAll();
  logged_changed_.NotifyAll();
  for (Decision& decision : decisions) decision.answer(cause);
  if (!first) return;
  unstored_.OnLost(cause);
  options_.on_lost(cause);
}

void DecisionPipeline::ApplyLoop() {
  while (true) {
    std::vector<Changes> changes;
    {
      base::MutexLock lock(logged_mutex_);
      while (logged_.empty() && !SyncIsDue() && !logged_all_) {
        logged_changed_.Wait(logged_mutex_);
      }
      if (!failure_.ok() || (logged_.empty() && !SyncIsDue())) return;
      while (logged_.size() < kApplyTogether && applied_count_ >= urgent_ && !SyncIsDue() &&
             !logged_all_ && failure_.ok()) {
        if (!logged_changed_.WaitFor(logged_mutex_, kApplyPause)) break;
      }
      changes.swap(logged_);
    }
    ApplyAll(std::move(changes));
  }
}

void DecisionPipeline::Apply() {
  std::vector<Changes> changes;
  {
    base::MutexLock lock(logged_mutex_);
    if (!failure_.ok() || (logged_.empty() && !SyncIsDue())) return;
    changes.swap(logged_);
  }
  ApplyAll(std::move(changes));
}

bool DecisionPipeline::SyncIsDue() const { return durable_ < wanted_ && applied_ >= wanted_; }

void DecisionPipeline::ApplyAll(std::vector<Changes> changes) {
  const auto count = static_cast<int64_t>(changes.size());
  if (count > 0) {
    const int64_t last = LastOf(changes.back());
    const absl::Duration begin = clock_.Elapsed();
    const absl::Status written = WriteTables(changes);
    if (!written.ok()) return Lose({}, DecisionLost(written));
    CountApplied(count, clock_.Elapsed() - begin);
    {
      base::MutexLock lock(logged_mutex_);
      applied_count_ += count;
      applied_ = last;
    }
    applied_changed_.NotifyAll();
    unstored_.OnStored(count);
    if (options_.on_applied) options_.on_applied();
  }
  int64_t applied = 0;
  {
    base::MutexLock lock(logged_mutex_);
    if (!SyncIsDue()) return;
    applied = applied_;
  }
  const absl::Status synced = database_.SyncLog();
  if (!synced.ok()) return Lose({}, DecisionLost(synced));
  {
    base::MutexLock lock(logged_mutex_);
    durable_ = applied;
  }
  applied_changed_.NotifyAll();
}

absl::Status DecisionPipeline::WriteTables(std::vector<Changes>& changes) {
  return database_.WriteUnsynced([&](sqlite::Transaction& transaction) -> absl::Status {
    for (Changes& each : changes) {
      CountChanges(each);
      RETURN_IF_ERROR(writer_.Write(transaction, std::move(each)));
    }
    return writer_.Flush(transaction);
  });
}

absl::Status DecisionPipeline::WaitForAcknowledged() {
  if (!options_.own_threads) Apply();
  base::MutexLock lock(logged_mutex_);
  const int64_t acknowledged = logged_count_;
  if (applied_count_ < acknowledged) {
    urgent_ = std::max(urgent_, acknowledged);
    logged_changed_.NotifyOne();
  }
  while (applied_count_ < acknowledged && failure_.ok()) applied_changed_.Wait(logged_mutex_);
  return applied_count_ < acknowledged ? failure_ : absl::OkStatus();
}

void DecisionPipeline::Urge() {
  if (!options_.own_threads) {
    Log();
    return Apply();
  }
  {
    base::MutexLock lock(logged_mutex_);
    urgent_ = added_count_;
  }
  logged_changed_.NotifyOne();
}

absl::Status DecisionPipeline::failure() {
  base::MutexLock lock(logged_mutex_);
  return failure_;
}

int64_t DecisionPipeline::waiting() {
  base::MutexLock lock(logged_mutex_);
  return logged_count_ - applied_count_;
}

}  // namespace slipway::ledger
