#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "services/models/domain/call.h"

namespace slipway::models {

// The scripted provider's own books: one JSON line for each call that was billed. Thread-safe.
class CallLog final {
 public:
  // Opens or creates `path`, whose last line may be torn by a crash.
  static absl::StatusOr<std::unique_ptr<CallLog>> Open(const std::string& path);

  // Appends a line; durable when it returns.
  absl::Status Append(const std::string& call_id, const std::string& model,
                      const TokenCounts& tokens, absl::Time time);

  // What a call was billed; absent when it was not. Reads the whole file.
  absl::StatusOr<std::optional<TokenCounts>> Find(const std::string& call_id);

 private:
  CallLog(std::string path, base::UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  const std::string path_;
  base::Mutex mutex_;
  base::UniqueFd fd_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
