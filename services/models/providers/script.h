#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// What can go wrong on purpose.
struct ScriptFault {
  enum class Kind {
    kNone,
    kHttpError,  // Refuses with `status`; nothing is billed.
    kRateLimit,  // Refuses with 429; nothing is billed.
    kDrop,       // Breaks off after `after_bytes` of a reply that is billed in full.
    kHang,       // Falls silent after `after_bytes` of a reply that is billed in full.

    // Of requests that came in a dialect, all billed in full.
    kStreamError,   // An error of `status` as an event, after `after_bytes`.
    kUsageInError,  // The same, with the usage beside it.
    kNoUsage,       // The reply is whole, but does not say what was billed.
    kUsageTwice,    // It says so twice.
  };
  Kind kind = Kind::kHttpError;
  int status = 500;
  std::optional<absl::Duration> retry_after;
  size_t after_bytes = 0;
};

// A tool that the reply asks for, in the dialects.
struct ScriptedToolCall {
  std::string name;
  std::string arguments;  // A JSON object.
};

// When a rule applies, and what it answers. Empty conditions hold always.
struct ScriptRule {
  std::string intent;
  std::string project;  // Id, the last segment of the resource name.
  std::string task;     // Id, the last segment of the resource name.
  std::string role;
  std::vector<std::string> prompt_contains;
  std::vector<std::string> prompt_lacks;

  std::string reply;
  std::vector<ScriptedToolCall> tool_calls;
  std::optional<int64_t> input_tokens;   // Absent: a quarter of the prompt's bytes, rounded up.
  std::optional<int64_t> output_tokens;  // Absent: a quarter of the reply's bytes, rounded up.
  TokenCounts further_tokens;            // Cached, written and reasoning ones.
  absl::Duration latency;
  size_t chunk_bytes = 0;  // 0: 256.
  std::optional<ScriptFault> fault;
};

// Replies by rule. Stateless: the same call always gets the same answer, so that a crash or a
// repeat changes nothing. Immutable.
class Script final {
 public:
  // Reads a JSON script; "reply_file" is relative to it. Fails with ConfigInvalid, which says what
  // and where.
  static absl::StatusOr<Script> Load(const std::string& path);

  // The first rule that applies; null when none does.
  const ScriptRule* Find(const ProviderCall& call, const std::string& prompt) const;

 private:
  std::vector<ScriptRule> rules_;
};

}  // namespace slipway::models
