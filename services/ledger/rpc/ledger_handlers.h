#pragma once

#include "absl/status/statusor.h"
#include "lib/base/reply.h"
#include "lib/rpc/call.h"
#include "services/ledger/domain/ledger_store.h"
#include "services/ledger/rpc/convert.h"
#include "slipway/ledger/v1/ledger_service.pb.h"

namespace slipway::ledger {

// The methods of LedgerService. Those that write, and Quote, answer through a reply and do not
// block, nor keep the request; the others block on disk. Replies to Reserve, Settle, Release,
// Extend, TopUp and Adjust tell as much as `detail` says. Thread-safe; the store must outlive the
// handlers.
class LedgerHandlers final {
 public:
  explicit LedgerHandlers(LedgerStore& store, Detail detail = Detail::kAll)
      : store_(store), detail_(detail) {}

  void Reserve(const rpc::Call& call, const v1::ReserveRequest& request,
               base::Reply<v1::ReserveResponse> reply);
  void Settle(const rpc::Call& call, const v1::SettleRequest& request,
              base::Reply<v1::SettleResponse> reply);
  void Release(const rpc::Call& call, const v1::ReleaseRequest& request,
               base::Reply<v1::ReleaseResponse> reply);
  void Extend(const rpc::Call& call, const v1::ExtendRequest& request,
              base::Reply<v1::ExtendResponse> reply);
  void TopUp(const rpc::Call& call, const v1::TopUpRequest& request,
             base::Reply<v1::TopUpResponse> reply);
  void FreezeScope(const rpc::Call& call, const v1::FreezeScopeRequest& request,
                   base::Reply<v1::FreezeScopeResponse> reply);
  void Adjust(const rpc::Call& call, const v1::AdjustRequest& request,
              base::Reply<v1::AdjustResponse> reply);
  void CloseOwner(const rpc::Call& call, const v1::CloseOwnerRequest& request,
                  base::Reply<v1::CloseOwnerResponse> reply);
  void Quote(const rpc::Call& call, const v1::QuoteRequest& request,
             base::Reply<v1::QuoteResponse> reply);
  void SetBudget(const rpc::Call& call, const v1::SetBudgetRequest& request,
                 base::Reply<v1::SetBudgetResponse> reply);
  void DeleteBudget(const rpc::Call& call, const v1::DeleteBudgetRequest& request,
                    base::Reply<v1::DeleteBudgetResponse> reply);
  void ImportPrices(const rpc::Call& call, const v1::ImportPricesRequest& request,
                    base::Reply<v1::ImportPricesResponse> reply);

  absl::StatusOr<v1::ListReservationsResponse> ListReservations(
      const rpc::Call& call, const v1::ListReservationsRequest& request);
  absl::StatusOr<v1::ListBalancesResponse> ListBalances(const rpc::Call& call,
                                                        const v1::ListBalancesRequest& request);
  absl::StatusOr<v1::GetBudgetResponse> GetBudget(const rpc::Call& call,
                                                  const v1::GetBudgetRequest& request);
  absl::StatusOr<v1::ListFrozenScopesResponse> ListFrozenScopes(
      const rpc::Call& call, const v1::ListFrozenScopesRequest& request);
  absl::StatusOr<v1::QueryUsageResponse> QueryUsage(const rpc::Call& call,
                                                    const v1::QueryUsageRequest& request);
  absl::StatusOr<v1::ListUsageResponse> ListUsage(const rpc::Call& call,
                                                  const v1::ListUsageRequest& request);
  absl::StatusOr<v1::ListPricesResponse> ListPrices(const rpc::Call& call,
                                                    const v1::ListPricesRequest& request);
  absl::StatusOr<v1::AuditResponse> Audit(const rpc::Call& call, const v1::AuditRequest& request);

 private:
  LedgerStore& store_;
  const Detail detail_;
};

}  // namespace slipway::ledger
