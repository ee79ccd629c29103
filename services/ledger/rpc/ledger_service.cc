#include "services/ledger/rpc/ledger_service.h"

#include "lib/rpc/bind.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"

namespace slipway::ledger {
namespace {

class LedgerBinding final : public v1::LedgerService::CallbackService {
 public:
  LedgerBinding(LedgerHandlers& handlers, TransactStreams& streams, base::Executor& executor,
                base::Executor& audits)
      : handlers_(handlers), streams_(streams), executor_(executor), audits_(audits) {}

  grpc::ServerBidiReactor<v1::TransactRequest, v1::TransactResponse>* Transact(
      grpc::CallbackServerContext* context) override {
    return streams_.Start(*context);
  }

  SLIPWAY_ASYNC(v1, Reserve, handlers_)
  SLIPWAY_ASYNC(v1, Settle, handlers_)
  SLIPWAY_ASYNC(v1, Release, handlers_)
  SLIPWAY_ASYNC(v1, Extend, handlers_)
  SLIPWAY_ASYNC(v1, TopUp, handlers_)
  SLIPWAY_ASYNC(v1, FreezeScope, handlers_)
  SLIPWAY_ASYNC(v1, Adjust, handlers_)
  SLIPWAY_ASYNC(v1, CloseOwner, handlers_)
  SLIPWAY_ASYNC(v1, Quote, handlers_)
  SLIPWAY_ASYNC(v1, SetBudget, handlers_)
  SLIPWAY_ASYNC(v1, DeleteBudget, handlers_)
  SLIPWAY_ASYNC(v1, ImportPrices, handlers_)
  SLIPWAY_UNARY(v1, ListReservations, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListBalances, executor_, handlers_)
  SLIPWAY_UNARY(v1, GetBudget, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListFrozenScopes, executor_, handlers_)
  SLIPWAY_UNARY(v1, QueryUsage, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListUsage, executor_, handlers_)
  SLIPWAY_UNARY(v1, ListPrices, executor_, handlers_)
  SLIPWAY_UNARY(v1, Audit, audits_, handlers_)

 private:
  LedgerHandlers& handlers_;
  TransactStreams& streams_;
  base::Executor& executor_;
  base::Executor& audits_;
};

}  // namespace

std::unique_ptr<grpc::Service> BindLedgerService(LedgerHandlers& handlers, TransactStreams& streams,
                                                 base::Executor& executor, base::Executor& audits) {
  return std::make_unique<LedgerBinding>(handlers, streams, executor, audits);
}

}  // namespace slipway::ledger
