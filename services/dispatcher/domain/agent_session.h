#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/dispatcher/domain/attempt.h"
#include "services/dispatcher/domain/keys.h"
#include "services/dispatcher/domain/policy.h"
#include "services/dispatcher/domain/task.h"

namespace slipway::dispatcher {

// What to do with a grant that an agent holds.
struct GrantVerdict {
  AttemptKey attempt;
  bool keep = false;  // Else stop at once.
};

// Answers Hello; may be repeated at any time.
struct Welcome {
  absl::Duration beat_interval;
  absl::Duration idle_beat_interval;
  absl::Duration lease_timeout;
  std::vector<GrantVerdict> verdicts;
};

struct BeatAnswer {
  int64_t sequence = 0;  // Of the beat.
  std::vector<GrantVerdict> verdicts;
};

struct Goodbye {
  std::string reason;
};

struct WorkOffer {
  TaskSpec spec;
  std::vector<std::string> feedback;
  std::string guidance;
  std::string model_key;
  std::string model_proxy;
  std::vector<Validator> validators;
};

struct ValidateOffer {
  std::vector<Validator> validators;
  std::string validator_digest;
  std::string tree;
};

struct GrantOffer {
  AttemptKey attempt;
  absl::Duration attempt_timeout;
  std::string commit;
  std::variant<WorkOffer, ValidateOffer> work;
};

// Answers a result that came on the session.
struct ResultReceipt {
  AttemptKey attempt;
  absl::StatusOr<Receipt> receipt;
};

using AgentOrder = std::variant<Welcome, GrantOffer, BeatAnswer, Goodbye, ResultReceipt>;

// The dispatcher's end of an agent's session. Thread-safe; never blocks.
class AgentSession {
 public:
  virtual ~AgentSession() = default;
  virtual void Send(AgentOrder order) = 0;
  virtual void End(absl::Status status) = 0;
};

// What an agent says first.
struct AgentHello {
  std::string agent;
  std::string host;  // hosts/{h}
  int64_t boot_nonce = 0;
  std::vector<AttemptKey> held;
};

struct AgentResult {
  AttemptKey attempt;
  AttemptResult result;
  bool ready = false;  // It can be granted work once this is on disk.
};

struct AgentBeat {
  int64_t sequence = 0;
  std::vector<AttemptKey> held;
  int64_t activity = 0;  // Rises when something of the attempt was observed.
  std::string phase;
};

}  // namespace slipway::dispatcher
