#pragma once

#include <cstdint>
#include <string>

#include "services/models/domain/call.h"

namespace slipway::models {

// Why nothing can have been billed.
enum class Proof { kNotSent, kConnectFailed, kUpstreamErrorBeforeOutput };

// What the ledger must be told of a hold: stored when a call ends and owed until it has accepted.
struct Settlement {
  enum class Kind {
    kUsage,    // The provider said what it billed.
    kUnknown,  // Nobody knows: the whole hold is charged.
    kRelease,  // Nothing was billed, by `proof`.
  };

  std::string reservation;
  Kind kind = Kind::kUnknown;
  Proof proof = Proof::kNotSent;
  TokenCounts tokens;
  bool free = false;  // Costs nothing, whatever the price table says.
  std::string provider;
  std::string model;         // That served it.
  std::string service_tier;  // That served it.
  std::string asked_model;
  std::string asked_tier;
  std::string provider_request_id;
};

}  // namespace slipway::models
