#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "services/models/cassette/cassette_entry.h"
#include "services/models/cassette/redaction.h"
#include "services/models/domain/cassette_store.h"

namespace slipway::models {

// Decides which calls are recorded and keeps them, without credentials and within bounds.
// Thread-safe; recording blocks on disk.
class Recorder final {
 public:
  struct Options {
    std::set<std::string> projects;  // Always recorded: full names, or "*" for all.
    CassetteStore::Bounds bounds;
    std::vector<std::string> known_secrets;
  };

  // Reads what is recorded now.
  static absl::StatusOr<std::unique_ptr<Recorder>> Load(Options options, CassetteStore& store,
                                                        base::Clock& clock);

  bool Wants(const Scopes& scopes) const;

  // Keeps `entry`, or counts it as dropped. An error is logged: a call does not fail because it
  // could not be recorded, but its cassette says that something is missing.
  void Record(CassetteEntry entry);

  // Records calls of a project or plan from now on. Fails with ScopeInvalid.
  absl::Status Start(const std::string& scope, const std::string& principal);
  // Fails with RecordingUnknown.
  absl::Status Stop(const std::string& scope);
  absl::StatusOr<std::vector<Recording>> Recordings() const;

  const Redactor& redactor() const { return redactor_; }

 private:
  Recorder(Options options, CassetteStore& store, base::Clock& clock)
      : options_(std::move(options)),
        redactor_(options_.known_secrets),
        store_(store),
        clock_(clock) {}

  const Options options_;
  const Redactor redactor_;
  CassetteStore& store_;
  base::Clock& clock_;
  mutable base::Mutex mutex_;
  std::set<std::string> scopes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
