#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "services/models/domain/call.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// The scripted provider's own books: one JSON line for each call that was billed. Thread-safe.
class CallLog final {
 public:
  // Opens or creates `path`, whose last line may be torn by a crash.
  static absl::StatusOr<std::unique_ptr<CallLog>> Open(const std::string& path);

  // Appends a line; durable when it returns.
  absl::Status Append(const std::string& call_id, const std::string& model,
                      const TokenCounts& tokens, absl::Time time);

  // A call that was answered from a cassette.
  struct PlayedCall {
    std::string call_id;
    std::string model;
    std::optional<TokenCounts> tokens;  // Absent: nothing was billed, or nobody knows.
    bool unknown = false;               // Nobody knows.
    std::string plan;
    int64_t entry = 0;
  };
  // The same as Append, also for calls that were not billed.
  absl::Status AppendPlayed(const PlayedCall& call, absl::Time time);
  // Every call that was, first to last.
  absl::StatusOr<std::vector<PlayedCall>> Played();

  // What a call was billed, as far as the books know. Reads the whole file; one that cannot be read
  // knows nothing.
  Reconciliation Reconcile(const std::string& call_id);

 private:
  CallLog(std::string path, base::UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  absl::Status AppendLine(const std::string& line);

  const std::string path_;
  base::Mutex mutex_;
  base::UniqueFd fd_ ABSL_GUARDED_BY(mutex_);
};

// The result of a call that the books did not take: nothing is billed that they do not know.
ProviderResult CallLogFailed(const absl::Status& status);

}  // namespace slipway::models
