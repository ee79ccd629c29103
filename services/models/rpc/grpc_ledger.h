#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "services/models/domain/ledger.h"
#include "services/models/rpc/ledger_stream.h"
#include "services/models/rpc/poll_keeper.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"

namespace slipway::models {

// The ledger service as models uses it: holds and their ends on one stream, the rest by calls.
// Thread-safe; blocks, except where the interface says otherwise.
class GrpcLedger final : public Ledger {
 public:
  GrpcLedger(const std::string& address, base::Clock& clock);

  absl::StatusOr<Quote> QuoteCall(const std::string& provider, const std::string& model,
                                  const std::string& service_tier, int64_t input_tokens,
                                  int64_t output_tokens) override;
  absl::StatusOr<Quote> BoundCall(const std::string& provider, const std::string& model,
                                  const std::string& service_tier, int64_t input_tokens) override;
  std::optional<Quote> KnownBound(const std::string& provider, const std::string& model,
                                  const std::string& service_tier, int64_t input_tokens) override;
  void RefreshBound(const std::string& provider, const std::string& model,
                    const std::string& service_tier, int64_t input_tokens) override;
  absl::StatusOr<Hold> Reserve(const HoldRequest& request) override;
  void StartReserve(const HoldRequest& request, HoldDone done) override;
  absl::StatusOr<int64_t> Settle(const Settlement& settlement) override;
  absl::Status CloseOwner(const std::string& owner) override;

 private:
  // What the ledger takes for every call of a model whose input is in a range.
  struct Rates {
    int64_t input_pico_usd = 0;
    int64_t output_pico_usd = 0;
    int64_t input_tokens_from = 0;
    int64_t input_tokens_below = 0;  // 0: without end.
    absl::Duration read_after;       // Of the clock.

    bool Cover(int64_t input_tokens) const;
    Quote QuoteFor(int64_t input_tokens) const;
  };

  absl::StatusOr<ledger::v1::QuoteResponse> AskQuote(const ledger::v1::QuoteRequest& request);
  absl::StatusOr<Quote> AskBound(const std::string& provider, const std::string& model,
                                 const std::string& service_tier, int64_t input_tokens);
  // That are younger than `age_max`; null where there are none.
  const Rates* FindRates(const std::string& name, int64_t input_tokens, absl::Duration age_max)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Keep(const std::string& name, const Rates& rates);
  absl::StatusOr<int64_t> Release(const Settlement& settlement);
  absl::StatusOr<LedgerStream::Answer> RunAgain(const LedgerStream::Operation& operation);

  base::Clock& clock_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<ledger::v1::LedgerService::Stub> stub_;
  LedgerStream stream_;
  PollKeeper poll_keeper_{channel_};
  base::Mutex mutex_;
  std::map<std::string, std::vector<Rates>> rates_ ABSL_GUARDED_BY(mutex_);
  bool refreshing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace slipway::models
