#include "services/ledger/rpc/ledger_service.h"

#include "lib/rpc/serve.h"

namespace slipway::ledger {

using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

Reactor* LedgerService::Reserve(Context* context, const v1::ReserveRequest* request,
                                v1::ReserveResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::Reserve);
}

Reactor* LedgerService::Settle(Context* context, const v1::SettleRequest* request,
                               v1::SettleResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::Settle);
}

Reactor* LedgerService::Release(Context* context, const v1::ReleaseRequest* request,
                                v1::ReleaseResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::Release);
}

Reactor* LedgerService::Extend(Context* context, const v1::ExtendRequest* request,
                               v1::ExtendResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::Extend);
}

Reactor* LedgerService::TopUp(Context* context, const v1::TopUpRequest* request,
                              v1::TopUpResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::TopUp);
}

Reactor* LedgerService::FreezeScope(Context* context, const v1::FreezeScopeRequest* request,
                                    v1::FreezeScopeResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::FreezeScope);
}

Reactor* LedgerService::Adjust(Context* context, const v1::AdjustRequest* request,
                               v1::AdjustResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::Adjust);
}

Reactor* LedgerService::CloseOwner(Context* context, const v1::CloseOwnerRequest* request,
                                   v1::CloseOwnerResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::CloseOwner);
}

Reactor* LedgerService::Quote(Context* context, const v1::QuoteRequest* request,
                              v1::QuoteResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::Quote);
}

Reactor* LedgerService::SetBudget(Context* context, const v1::SetBudgetRequest* request,
                                  v1::SetBudgetResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::SetBudget);
}

Reactor* LedgerService::DeleteBudget(Context* context, const v1::DeleteBudgetRequest* request,
                                     v1::DeleteBudgetResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::DeleteBudget);
}

Reactor* LedgerService::ImportPrices(Context* context, const v1::ImportPricesRequest* request,
                                     v1::ImportPricesResponse* response) {
  return rpc::ServeAsync(context, request, response, &handlers_, &LedgerHandlers::ImportPrices);
}

Reactor* LedgerService::ListReservations(Context* context,
                                         const v1::ListReservationsRequest* request,
                                         v1::ListReservationsResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &LedgerHandlers::ListReservations);
}

Reactor* LedgerService::ListBalances(Context* context, const v1::ListBalancesRequest* request,
                                     v1::ListBalancesResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &LedgerHandlers::ListBalances);
}

Reactor* LedgerService::GetBudget(Context* context, const v1::GetBudgetRequest* request,
                                  v1::GetBudgetResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &LedgerHandlers::GetBudget);
}

Reactor* LedgerService::ListFrozenScopes(Context* context,
                                         const v1::ListFrozenScopesRequest* request,
                                         v1::ListFrozenScopesResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &LedgerHandlers::ListFrozenScopes);
}

Reactor* LedgerService::QueryUsage(Context* context, const v1::QueryUsageRequest* request,
                                   v1::QueryUsageResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &LedgerHandlers::QueryUsage);
}

Reactor* LedgerService::ListUsage(Context* context, const v1::ListUsageRequest* request,
                                  v1::ListUsageResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &LedgerHandlers::ListUsage);
}

Reactor* LedgerService::ListPrices(Context* context, const v1::ListPricesRequest* request,
                                   v1::ListPricesResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                         &LedgerHandlers::ListPrices);
}

Reactor* LedgerService::Audit(Context* context, const v1::AuditRequest* request,
                              v1::AuditResponse* response) {
  return rpc::ServeUnary(audits_, context, request, response, &handlers_, &LedgerHandlers::Audit);
}

}  // namespace slipway::ledger
