// How processes die and come back: the second half of Simulation.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status_macros.h"
#include "services/ledger/simulator/simulation.h"
#include "services/ledger/storage/decision_format.h"
#include "services/ledger/storage/log_file.h"

namespace slipway::ledger::simulator {
namespace {

using faultdisk::Access;
using faultdisk::Fault;

constexpr char kDatabase[] = "ledger.db";
constexpr int kFailedStartsMax = 3;

// Makes the first record that is not whole pass for one.
absl::Status SealTornRecord(const char* vfs, const std::string& path) {
  ASSIGN_OR_RETURN(const bool exists, LogFile::Exists(path, vfs));
  if (!exists) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::unique_ptr<LogFile> file, LogFile::Open(path, vfs));
  ASSIGN_OR_RETURN(const std::string bytes, file->ReadAll());
  LogFileHeader header;
  if (!ReadLogHeader(bytes, 0, header) || header.checksum != LogChecksumOf(header)) {
    return absl::OkStatus();
  }
  LogRecordHeader record;
  for (size_t at = kLogSector; ReadLogHeader(bytes, at, record);) {
    if (record.magic != kLogRecordMagic || record.salt != header.salt ||
        record.size > bytes.size() - at - sizeof(record)) {
      return absl::OkStatus();
    }
    const auto payload = absl::string_view(bytes).substr(at + sizeof(record), record.size);
    const uint64_t checksum = LogChecksumOf(record, payload);
    if (record.checksum != checksum) {
      record.checksum = checksum;
      return file->Write(static_cast<int64_t>(at), LogBytes(record));
    }
    at += LogPadded(sizeof(record) + record.size);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Simulation::Crash(bool lose_power) {
  if (store_ != nullptr && store_->unapplied() > 0) Count("crash before the tables had it");
  disk_.Die();
  tables_.reset();
  store_.reset();
  vfs_.Restart();
  const int64_t torn = disk_.torn();
  const bool had_power = !lose_power && !disk_.power_lost();
  disk_.Restart(lose_power);
  Count(had_power ? "crash process killed" : "crash power lost");
  coverage_["sectors torn"] += disk_.torn() - torn;
  Trace(had_power ? "the process is killed" : "the power is lost");
  if (queue_.empty()) states_ = {model_};
  return OpenStore();
}

absl::Status Simulation::StopAndStart() {
  tables_.reset();
  store_.reset();  // Unless a planned fault hits the checkpoint of the close.
  if (disk_.dead()) {
    Count("crash while stopping");
    return Crash(false);
  }
  vfs_.Restart();
  disk_.Restart(random_.OneIn(2));
  Count("clean restarts");
  Trace("the process stops and starts");
  states_ = {model_};
  return OpenStore();
}

absl::Status Simulation::OpenStore() {
  if (states_.empty()) states_ = {model_};
  for (int failed = 0;; ++failed) {
    const bool with_fault = failed < kFailedStartsMax && random_.OneIn(5);
    if (step_ > 0) RETURN_IF_ERROR(SabotageBeforeStart());
    if (with_fault) {
      const Fault fault = random_.OneIn(3)   ? Fault::kIoError
                          : random_.OneIn(2) ? Fault::kPowerLoss
                                             : Fault::kKill;
      disk_.Arm({.fault = fault,
                 .accesses = {Access::kRead, Access::kWrite, Access::kSync, Access::kTruncate,
                              Access::kDelete, Access::kOpen},
                 .countdown = static_cast<int>(random_.Between(1, 40))});
    }
    lost_ = false;
    absl::StatusOr<std::unique_ptr<SqliteLedgerStore>> opened =
        SqliteLedgerStore::Open({.path = kDatabase,
                                 .ledger = ledger_options_,
                                 .vfs = vfs_.name(),
                                 .own_thread = false,
                                 .checkpoint_pages = checkpoint_pages_,
                                 .log_bytes_max = log_bytes_max_,
                                 .on_lost = [this](const absl::Status&) { lost_ = true; }},
                                clock_, *ids_);
    if (opened.ok() && !disk_.dead()) {
      disk_.Disarm();
      store_ = *std::move(opened);
      break;
    }
    if (!disk_.tripped()) {
      return Breach(absl::StrCat("the ledger starts\n  expected OK\n  observed ",
                                 opened.status().ToString()));
    }
    Count(absl::StrCat("start failed at ", faultdisk::NameOf(disk_.tripped_at())));
    disk_.Die();
    opened = absl::CancelledError();
    vfs_.Restart();
    disk_.Restart(random_.OneIn(3));
  }
  Count("starts");
  tables_ = std::make_unique<TableCheck>(vfs_.name(), kDatabase);
  RETURN_IF_ERROR(FindState());
  return Check();
}

// Which of the states that were possible is the one on disk: what was acknowledged is in it, and
// what was not is wholly in it or not at all.
absl::Status Simulation::FindState() {
  size_t first = 0;
  for (const std::shared_ptr<Request>& request : queue_) {
    if (request->answered && request->reason != "COMMIT_FAILED") {
      first = std::max(first, request->state);
    }
  }
  queue_.clear();
  const absl::StatusOr<int64_t> entries = tables_->CountJournal();
  if (!entries.ok()) return Breach(entries.status().ToString());
  for (size_t i = std::min(first, states_.size() - 1); i < states_.size(); ++i) {
    if (states_[i].journal() != *entries) continue;
    if (i + 1 < states_.size() && states_.back().journal() != *entries) {
      Count("unacknowledged changes absent");
    } else if (i > first) {
      Count("unacknowledged changes present");
    }
    model_ = states_[i];
    model_.Restart();
    states_ = {model_};
    return absl::OkStatus();
  }
  std::vector<int64_t> expected;
  for (size_t i = first; i < states_.size(); ++i) expected.push_back(states_[i].journal());
  return Breach(absl::StrCat("after the restart\n  expected a journal of ",
                             absl::StrJoin(expected, " or "), " entries, for what was acknowledged",
                             "\n  observed ", *entries));
}

absl::Status Simulation::Check() {
  disk_.Disarm();
  RETURN_IF_ERROR(ApplyLogged());
  Count("checks of all tables");
  const absl::Status tables = tables_->Run(model_, clock_.Now());
  if (!tables.ok()) return Breach(std::string(tables.message()));
  // The ledger's own audit repeats much of it.
  if (!random_.OneIn(3)) return absl::OkStatus();
  const absl::StatusOr<AuditResult> audit = store_->Audit();
  if (!audit.ok()) return Breach(audit.status().ToString());
  // Between a long pause and the next run of the timer holds may be overdue.
  const bool overdue =
      std::any_of(model_.holds().begin(), model_.holds().end(), [this](const auto& entry) {
        return entry.second.state == ReservationState::kHeld &&
               entry.second.expire_time <= clock_.Now();
      });
  for (const AuditCheck& check : audit->checks) {
    coverage_["audited facts"] += check.checked;
    if (check.breaches.empty() || (overdue && check.invariant.starts_with("I12"))) continue;
    return Breach(absl::StrCat("audit of ", check.invariant, "\n  expected no breach\n  observed ",
                               absl::StrJoin(check.breaches, "; ")));
  }
  return absl::OkStatus();
}

absl::Status Simulation::SabotageBeforeStart() {
  disk_.Disarm();
  switch (options_.mutant) {
    case Mutant::kMirrorNotRebuilt:
      return Sabotage("UPDATE reservation SET state=4 WHERE state=1; UPDATE bucket SET reserved=0");
    case Mutant::kAppliedTwice:
      return Sabotage("DELETE FROM journal WHERE sequence=(SELECT MAX(sequence) FROM journal)");
    case Mutant::kTailNotChecked:
      for (const char* file : {"-decisions0", "-decisions1"}) {
        RETURN_IF_ERROR(SealTornRecord(vfs_.name(), absl::StrCat(kDatabase, file)));
      }
      return absl::OkStatus();
    default:
      return absl::OkStatus();
  }
}

absl::Status Simulation::Sabotage(const std::string& sql) {
  disk_.Disarm();
  return RunSql(vfs_.name(), kDatabase, sql);
}

}  // namespace slipway::ledger::simulator
