#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/models/domain/wire_request.h"

namespace slipway::models {

// Tokens of one call by how they are priced. `reasoning` is part of `output`.
struct TokenCounts {
  int64_t input = 0;
  int64_t cache_read = 0;
  int64_t cache_write = 0;
  int64_t cache_write_long = 0;  // To a cache that lives an hour.
  int64_t output = 0;
  int64_t reasoning = 0;
  int64_t searches = 0;  // By the provider's own tools.

  friend bool operator==(const TokenCounts&, const TokenCounts&) = default;
};

// Where a call is charged: full resource names, empty where it belongs to nothing of the kind.
struct Scopes {
  std::string project;
  std::string plan;
  std::string task;
  std::string attempt;
  std::string role;

  friend bool operator==(const Scopes&, const Scopes&) = default;
};

enum class Speaker { kSystem, kUser, kAssistant };

struct Message {
  Speaker speaker = Speaker::kUser;
  std::string text;
};

// What is asked of a model, whichever entrance it came through.
struct CallSpec {
  std::string call_id;
  std::string role;
  Scopes scopes;
  std::vector<Message> messages;
  std::string response_schema;    // JSON; empty: free text.
  int64_t output_tokens_max = 0;  // 0: the route's.
  std::string envelope;
  std::string intent;
  std::vector<std::string> role_reasons;  // Why this role, where it was chosen by traits.

  // Instead of messages, schema and output limit: a request that is passed on in its dialect.
  std::shared_ptr<const WireRequest> wire;

  // Set for calls of an attempt's key.
  std::string key_hash;
  int64_t key_limit_usd_nanos = 0;  // 0: none.
};

// How a call that succeeded ended.
struct CallOutcome {
  std::string call;  // Id of its record.
  std::string provider;
  std::string model;
  std::string service_tier;
  TokenCounts tokens;
  int64_t cost_usd_nanos = 0;  // The whole hold, until the ledger has said the cost.
  std::string finish_reason;
};

// How far the bound of a call's input was from what its provider counted.
struct InputSample {
  std::string provider;
  std::string model;
  std::string content;  // What its prompt is mostly made of, as ContentOf says.
  int64_t bound_tokens = 0;
  int64_t counted_tokens = 0;

  // Of the bound, rounded up.
  int PerMille() const;
};

// How far a try came. Durable before the step that it names begins.
enum class Phase { kReserving, kSending, kEnded };

// One try of a call, as recorded. Its id is the key of its reservation.
struct CallRecord {
  int64_t sequence = 0;
  std::string id;
  std::string call_id;
  int try_number = 1;
  std::string owner;
  std::string key_hash;
  std::string fingerprint;  // Of the request, to tell a repeat from another call of the same id.
  absl::Time start_time;
  std::optional<absl::Time> end_time;
  Scopes scopes;
  std::string intent;
  std::string provider;
  std::string model;
  std::string service_tier;
  Phase phase = Phase::kReserving;
  std::string outcome = "RUNNING";  // "OK", "REFUSED", "FAILED", "INCOMPLETE", "CANCELLED".
  std::string reason;
  absl::Status error;
  std::string reply;
  std::string finish_reason;
  TokenCounts tokens;
  int64_t charge_usd_nanos = 0;  // Asked for, then held, then the cost.
  std::vector<std::string> route_reasons;
  std::optional<InputSample> input;  // Of a try that ends, where it was counted. Not kept.
  std::string approval;              // That lets it be made; empty where none is needed. Not kept.
};

}  // namespace slipway::models
