#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/models/domain/settlement.h"

namespace slipway::models {

// Why a provider did not serve, by what to do about it.
enum class FailureClass {
  kTransient,  // Try again soon.
  kWait,       // Not before `retry_after`.
  kMoney,      // Somebody must pay.
  kConfig,     // Somebody must change the configuration or the key.
  kRequest,    // The request itself is at fault: nobody else should be asked.
};

// What a provider is asked, with everything decided.
struct ProviderCall {
  std::string id;
  std::string role;
  std::string intent;
  Scopes scopes;
  std::string model;
  std::string service_tier;
  std::string reasoning_effort;
  std::vector<Message> messages;
  std::string response_schema;
  int64_t output_tokens_max = 0;
  std::shared_ptr<const WireRequest> wire;  // Instead of messages: to be passed on.
};

struct ProviderResult {
  enum class Kind {
    kComplete,  // The whole reply came.
    kFailed,    // Nothing was billed, by `proof`.
    kUnknown,   // Something may have been billed.
  };

  Kind kind = Kind::kUnknown;

  // What was billed, where the provider said so.
  std::optional<TokenCounts> tokens;
  std::string finish_reason;
  std::string model;         // As the provider named it; empty: as asked.
  std::string service_tier;  // As the provider named it; empty: as asked.
  std::string request_id;

  // Unless complete.
  FailureClass failure = FailureClass::kTransient;
  Proof proof = Proof::kUpstreamErrorBeforeOutput;
  std::string reason;           // UPPER_SNAKE.
  std::string detail;           // One line for a person; no payload, no secret.
  bool whole_provider = false;  // What failed concerns all its models.

  // The error stands in the part of the reply that was passed on: it need not be told again.
  bool error_passed_on = false;

  // How long the provider wants to be left alone, also after a success that used up a limit.
  std::optional<absl::Duration> retry_after;
};

// Takes what a provider sends. Called by one thread at a time; does not block.
class ProviderSink {
 public:
  virtual ~ProviderSink() = default;
  // Whole UTF-8 characters; of a request that is passed on, the reply's bytes in its dialect.
  virtual void OnText(absl::string_view text) = 0;
  // The same, and the end follows at once, so that both can go together.
  virtual void OnLastText(absl::string_view text) { OnText(text); }
  // False when the receiver is slow: then nothing should come until the exchange's Resume.
  virtual bool HasRoom() { return true; }
  virtual void OnEnd(ProviderResult result) = 0;  // Once, last.
};

// A call under way. When its destruction returns, the sink is not called any more and nothing more
// will be billed than the provider has billed by then.
class ProviderExchange {
 public:
  virtual ~ProviderExchange() = default;
  // The sink has room again.
  virtual void Resume() {}
};

// What a provider's own books say about a call.
struct Reconciliation {
  enum class Kind { kBilled, kNotBilled, kUnknown };
  Kind kind = Kind::kUnknown;
  TokenCounts tokens;
};

// What a look at an endpoint found.
struct ProviderHealth {
  bool healthy = false;
  bool key_refused = false;
  std::string detail;  // One line for a person; no payload, no secret.
};

// Someone who serves models. Thread-safe. `sink` must outlive the exchange.
class Provider {
 public:
  virtual ~Provider() = default;

  virtual const std::string& name() const = 0;
  virtual const char* kind() const = 0;
  virtual bool free() const = 0;  // Its calls cost nothing.

  // Whether it takes requests of `dialect` to be passed on, as they are or translated.
  virtual bool Takes(Dialect dialect) const = 0;

  // Input tokens of a request as the provider counts them for nothing; absent when it cannot. May
  // block.
  virtual std::optional<int64_t> CountInput(const std::string&, const WireRequest&) {
    return std::nullopt;
  }

  // Looks whether it answers and takes its key, for nothing; absent where there is nothing to look
  // at. May block.
  virtual std::optional<ProviderHealth> Check() { return std::nullopt; }

  // Whether Start neither blocks nor takes long for a request that is not large.
  virtual bool StartsAtOnce() const { return false; }

  // May call the sink before it returns.
  [[nodiscard]] virtual std::unique_ptr<ProviderExchange> Start(const ProviderCall& call,
                                                                ProviderSink& sink) = 0;

  // For a call that has no exchange any more. May block.
  virtual Reconciliation Reconcile(const std::string& call_id) = 0;
};

}  // namespace slipway::models
