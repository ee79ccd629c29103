#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/executor.h"
#include "lib/rpc/call.h"
#include "lib/sqlite/database.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"

namespace slipway::bench {

// The ledger that one would write first: a blocking handler, a transaction and a commit for every
// operation, guarded updates of the 15 buckets. As durable as the real one; it has no journal, no
// events, no rollups, no windows that change and no denials that are kept. Thread-safe.
class NaiveLedger final {
 public:
  static absl::StatusOr<std::unique_ptr<NaiveLedger>> Open(const std::string& path);

  absl::StatusOr<ledger::v1::ReserveResponse> Reserve(const rpc::Call& call,
                                                      const ledger::v1::ReserveRequest& request);
  absl::StatusOr<ledger::v1::SettleResponse> Settle(const rpc::Call& call,
                                                    const ledger::v1::SettleRequest& request);
  absl::StatusOr<ledger::v1::ListPricesResponse> ListPrices(
      const rpc::Call& call, const ledger::v1::ListPricesRequest& request);

 private:
  explicit NaiveLedger(std::unique_ptr<sqlite::Database> database)
      : database_(std::move(database)) {}

  const std::unique_ptr<sqlite::Database> database_;
};

// Binds it to the ledger's own service, so that both are asked in the same way.
class NaiveLedgerService final : public ledger::v1::LedgerService::CallbackService {
 public:
  NaiveLedgerService(base::Executor& executor, NaiveLedger& ledger)
      : executor_(executor), ledger_(ledger) {}

  grpc::ServerUnaryReactor* Reserve(grpc::CallbackServerContext* context,
                                    const ledger::v1::ReserveRequest* request,
                                    ledger::v1::ReserveResponse* response) override;
  grpc::ServerUnaryReactor* Settle(grpc::CallbackServerContext* context,
                                   const ledger::v1::SettleRequest* request,
                                   ledger::v1::SettleResponse* response) override;
  grpc::ServerUnaryReactor* ListPrices(grpc::CallbackServerContext* context,
                                       const ledger::v1::ListPricesRequest* request,
                                       ledger::v1::ListPricesResponse* response) override;

 private:
  base::Executor& executor_;
  NaiveLedger& ledger_;
};

}  // namespace slipway::bench
