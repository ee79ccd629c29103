#pragma once

#include <memory>
#include <string>

#include "lib/base/clock.h"
#include "services/models/domain/ledger.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"

namespace slipway::models {

// The ledger service as models uses it. Thread-safe; blocks.
class GrpcLedger final : public Ledger {
 public:
  GrpcLedger(const std::string& address, base::Clock& clock);

  absl::StatusOr<Quote> QuoteCall(const std::string& provider, const std::string& model,
                                  const std::string& service_tier, int64_t input_tokens,
                                  int64_t output_tokens) override;
  absl::StatusOr<Hold> Reserve(const HoldRequest& request) override;
  absl::StatusOr<int64_t> Settle(const Settlement& settlement) override;
  absl::Status CloseOwner(const std::string& owner) override;

 private:
  absl::StatusOr<int64_t> Release(const Settlement& settlement);

  base::Clock& clock_;
  std::unique_ptr<ledger::v1::LedgerService::Stub> stub_;
};

}  // namespace slipway::models
