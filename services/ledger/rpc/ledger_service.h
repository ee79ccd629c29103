#pragma once

#include "lib/base/executor.h"
#include "services/ledger/rpc/ledger_handlers.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"

namespace slipway::ledger {

// Binds the handlers to gRPC. Reads run on `executor`, audits, which are long, on `audits`. All
// must outlive the server.
class LedgerService final : public v1::LedgerService::CallbackService {
 public:
  LedgerService(base::Executor& executor, base::Executor& audits, LedgerHandlers& handlers)
      : executor_(executor), audits_(audits), handlers_(handlers) {}

  grpc::ServerUnaryReactor* Reserve(grpc::CallbackServerContext* context,
                                    const v1::ReserveRequest* request,
                                    v1::ReserveResponse* response) override;
  grpc::ServerUnaryReactor* Settle(grpc::CallbackServerContext* context,
                                   const v1::SettleRequest* request,
                                   v1::SettleResponse* response) override;
  grpc::ServerUnaryReactor* Release(grpc::CallbackServerContext* context,
                                    const v1::ReleaseRequest* request,
                                    v1::ReleaseResponse* response) override;
  grpc::ServerUnaryReactor* Extend(grpc::CallbackServerContext* context,
                                   const v1::ExtendRequest* request,
                                   v1::ExtendResponse* response) override;
  grpc::ServerUnaryReactor* TopUp(grpc::CallbackServerContext* context,
                                  const v1::TopUpRequest* request,
                                  v1::TopUpResponse* response) override;
  grpc::ServerUnaryReactor* FreezeScope(grpc::CallbackServerContext* context,
                                        const v1::FreezeScopeRequest* request,
                                        v1::FreezeScopeResponse* response) override;
  grpc::ServerUnaryReactor* Adjust(grpc::CallbackServerContext* context,
                                   const v1::AdjustRequest* request,
                                   v1::AdjustResponse* response) override;
  grpc::ServerUnaryReactor* CloseOwner(grpc::CallbackServerContext* context,
                                       const v1::CloseOwnerRequest* request,
                                       v1::CloseOwnerResponse* response) override;
  grpc::ServerUnaryReactor* Quote(grpc::CallbackServerContext* context,
                                  const v1::QuoteRequest* request,
                                  v1::QuoteResponse* response) override;
  grpc::ServerUnaryReactor* SetBudget(grpc::CallbackServerContext* context,
                                      const v1::SetBudgetRequest* request,
                                      v1::SetBudgetResponse* response) override;
  grpc::ServerUnaryReactor* DeleteBudget(grpc::CallbackServerContext* context,
                                         const v1::DeleteBudgetRequest* request,
                                         v1::DeleteBudgetResponse* response) override;
  grpc::ServerUnaryReactor* ImportPrices(grpc::CallbackServerContext* context,
                                         const v1::ImportPricesRequest* request,
                                         v1::ImportPricesResponse* response) override;
  grpc::ServerUnaryReactor* ListReservations(grpc::CallbackServerContext* context,
                                             const v1::ListReservationsRequest* request,
                                             v1::ListReservationsResponse* response) override;
  grpc::ServerUnaryReactor* ListBalances(grpc::CallbackServerContext* context,
                                         const v1::ListBalancesRequest* request,
                                         v1::ListBalancesResponse* response) override;
  grpc::ServerUnaryReactor* GetBudget(grpc::CallbackServerContext* context,
                                      const v1::GetBudgetRequest* request,
                                      v1::GetBudgetResponse* response) override;
  grpc::ServerUnaryReactor* ListFrozenScopes(grpc::CallbackServerContext* context,
                                             const v1::ListFrozenScopesRequest* request,
                                             v1::ListFrozenScopesResponse* response) override;
  grpc::ServerUnaryReactor* QueryUsage(grpc::CallbackServerContext* context,
                                       const v1::QueryUsageRequest* request,
                                       v1::QueryUsageResponse* response) override;
  grpc::ServerUnaryReactor* ListUsage(grpc::CallbackServerContext* context,
                                      const v1::ListUsageRequest* request,
                                      v1::ListUsageResponse* response) override;
  grpc::ServerUnaryReactor* ListPrices(grpc::CallbackServerContext* context,
                                       const v1::ListPricesRequest* request,
                                       v1::ListPricesResponse* response) override;
  grpc::ServerUnaryReactor* Audit(grpc::CallbackServerContext* context,
                                  const v1::AuditRequest* request,
                                  v1::AuditResponse* response) override;

 private:
  base::Executor& executor_;
  base::Executor& audits_;
  LedgerHandlers& handlers_;
};

}  // namespace slipway::ledger
