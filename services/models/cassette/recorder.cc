#include "services/models/cassette/recorder.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/models/domain/call_check.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

metrics::Counter recorded({.name = "slipway_models_cassette_entries_total",
                           .description = "Calls that were recorded, or should have been.",
                           .labels = {"result"}});

constexpr char kEveryProject[] = "*";

}  // namespace

absl::StatusOr<std::unique_ptr<Recorder>> Recorder::Load(Options options, CassetteStore& store,
                                                         base::Clock& clock) {
  ASSIGN_OR_RETURN(const std::vector<Recording> recordings, store.Recordings());
  std::unique_ptr<Recorder> recorder(new Recorder(std::move(options), store, clock));
  base::MutexLock lock(recorder->mutex_);
  for (const Recording& recording : recordings) recorder->scopes_.insert(recording.scope);
  return recorder;
}

bool Recorder::Wants(const Scopes& scopes) const {
  // A cassette is a plan's: calls that belong to none cannot be played again.
  if (scopes.plan.empty()) return false;
  if (options_.projects.count(kEveryProject) > 0 || options_.projects.count(scopes.project) > 0) {
    return true;
  }
  base::MutexLock lock(mutex_);
  return scopes_.count(scopes.plan) > 0 || scopes_.count(scopes.project) > 0;
}

void Recorder::Record(CassetteEntry entry) {
  redactor_.Redact(entry);
  CassetteStore::NewEntry kept = {
      .plan = entry.scopes.plan, .call = entry.call, .start_time = entry.start_time};
  kept.line = EntryToJson(entry);
  if (kept.line.size() > kCassetteEntryBytesMax) {
    entry.messages.clear();
    entry.body.clear();
    entry.request_omitted = true;
    kept.line = EntryToJson(entry);
  }
  if (kept.line.size() > kCassetteEntryBytesMax) kept.line.clear();
  const absl::StatusOr<bool> stored = store_.Append(kept, options_.bounds);
  const char* const result = !stored.ok() ? "failed" : *stored ? "kept" : "dropped";
  recorded.Increment({result});
  if (stored.ok() && *stored) return;
  log::Warning("a call is missing in its cassette",
               {{"call", entry.call},
                {"plan", entry.scopes.plan},
                {"why", stored.ok() ? "a limit of the cassette" : stored.status().message()}});
}

absl::Status Recorder::Start(const std::string& scope, const std::string& principal) {
  RETURN_IF_ERROR(CheckScopeOfWork(scope));
  if (absl::StrContains(scope, "/tasks/")) {
    return ScopeInvalid("a project or a plan is recorded, not a task");
  }
  RETURN_IF_ERROR(
      store_.PutRecording({.scope = scope, .start_time = clock_.Now(), .principal = principal}));
  log::Info("recording begins", {{"scope", scope}, {"principal", principal}});
  base::MutexLock lock(mutex_);
  scopes_.insert(scope);
  return absl::OkStatus();
}

absl::Status Recorder::Stop(const std::string& scope) {
  ASSIGN_OR_RETURN(const bool existed, store_.RemoveRecording(scope));
  if (!existed) return RecordingUnknown(scope);
  log::Info("recording ends", {{"scope", scope}});
  base::MutexLock lock(mutex_);
  scopes_.erase(scope);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Recording>> Recorder::Recordings() const { return store_.Recordings(); }

}  // namespace slipway::models
