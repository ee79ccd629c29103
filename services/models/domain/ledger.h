#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/models/domain/settlement.h"

namespace slipway::models {

// A price at its worst.
struct Quote {
  int64_t cost_usd_nanos = 0;
  int64_t input_usd_nanos = 0;
  int64_t output_pico_usd = 0;  // Per output token.
};

struct Amounts {
  int64_t usd_nanos = 0;
  int64_t tokens = 0;
  int64_t requests = 1;
};

struct HoldRequest {
  std::string key;
  Scopes scopes;
  Amounts amounts;
  Amounts minimum;
  std::string envelope;
  absl::Duration lifetime;
  std::string owner;
  std::string provider;
  std::string model;
  std::string service_tier;
};

struct Denial {
  std::string cause;  // "LIMIT", "HELD_BY_SIBLINGS", ..
  std::string budget;
  std::string scope;
  int64_t requested = 0;
  int64_t remaining = 0;
  std::optional<absl::Time> retry_time;
};

struct Hold {
  bool open = false;  // Held now; a repeated key may name a hold that has ended.
  Amounts held;
  std::optional<Denial> denial;
};

// Who decides whether money may be spent. Thread-safe; calls block for kLedgerTimeout at
// most.
class Ledger {
 public:
  virtual ~Ledger() = default;

  // Fails with NOT_FOUND (PRICE_UNKNOWN), or as the transport does.
  virtual absl::StatusOr<Quote> QuoteCall(const std::string& provider, const std::string& model,
                                          const std::string& service_tier, int64_t input_tokens,
                                          int64_t output_tokens) = 0;

  // What bounds the cost of a call with that much input, by its output: the cost itself is not
  // told. May be as old as kRatesAgeMax; fails like QuoteCall.
  virtual absl::StatusOr<Quote> BoundCall(const std::string& provider, const std::string& model,
                                          const std::string& service_tier,
                                          int64_t input_tokens) = 0;

  // BoundCall where it need not ask, else absent. Does not block.
  virtual std::optional<Quote> KnownBound(const std::string& provider, const std::string& model,
                                          const std::string& service_tier,
                                          int64_t input_tokens) = 0;
  // Asks again for what KnownBound will soon not know any more, unless somebody does already.
  virtual void RefreshBound(const std::string& provider, const std::string& model,
                            const std::string& service_tier, int64_t input_tokens) = 0;

  // Idempotent by key.
  virtual absl::StatusOr<Hold> Reserve(const HoldRequest& request) = 0;

  // As Reserve, but asks once and does not block. `done` is called once, on any thread, and must
  // not block. UNAVAILABLE, where Reserve would ask again.
  using HoldDone = absl::AnyInvocable<void(absl::StatusOr<Hold>) &&>;
  virtual void StartReserve(const HoldRequest& request, HoldDone done) = 0;

  // Tells how a hold ended and returns what was charged. Idempotent.
  virtual absl::StatusOr<int64_t> Settle(const Settlement& settlement) = 0;

  // Charges what a gone instance left open.
  virtual absl::Status CloseOwner(const std::string& owner) = 0;
};

}  // namespace slipway::models
