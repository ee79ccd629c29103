#include "services/ledger/rpc/ledger_handlers.h"

#include <utility>

#include "absl/strings/strip.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"

namespace slipway::ledger {
namespace {

// A reply to the store that answers `reply` with what `convert` makes of the result.
template <typename T, typename Response, typename Convert>
base::Reply<T> Converted(base::Reply<Response> reply, Convert convert) {
  return base::Reply<T>([reply = std::move(reply), convert](absl::StatusOr<T> result) mutable {
    if (!result.ok()) return std::move(reply)(result.status());
    std::move(reply)(convert(*result));
  });
}

template <typename Response>
base::Reply<Reservation> WithReservation(base::Reply<Response> reply, Detail detail) {
  return Converted<Reservation>(std::move(reply), [detail](const Reservation& reservation) {
    Response response;
    *response.mutable_reservation() = ToProto(reservation, detail);
    return response;
  });
}

}  // namespace

void LedgerHandlers::Reserve(const rpc::Call&, const pb::ReserveRequest& request,
                             base::Reply<pb::ReserveResponse> reply) {
  absl::StatusOr<ReserveOrder> order = FromProto(request);
  if (!order.ok()) return std::move(reply)(order.status());
  store_.Reserve(*std::move(order), WithReservation(std::move(reply), detail_));
}

void LedgerHandlers::Settle(const rpc::Call&, const pb::SettleRequest& request,
                            base::Reply<pb::SettleResponse> reply) {
  store_.Settle(
      FromProto(request),
      Converted<Settlement>(std::move(reply), [detail = detail_](const Settlement& settlement) {
        pb::SettleResponse response;
        *response.mutable_reservation() = ToProto(settlement.reservation, detail);
        if (settlement.usage.has_value() && detail == Detail::kAll) {
          *response.mutable_usage() = ToProto(*settlement.usage);
        }
        return response;
      }));
}

void LedgerHandlers::Release(const rpc::Call&, const pb::ReleaseRequest& request,
                             base::Reply<pb::ReleaseResponse> reply) {
  if (request.proof() < pb::ReleaseRequest::PROOF_NOT_SENT ||
      request.proof() > pb::ReleaseRequest::PROOF_UPSTREAM_ERROR_BEFORE_OUTPUT) {
    return std::move(reply)(ProofRequired());
  }
  store_.Release(request.key(), static_cast<Proof>(request.proof()),
                 WithReservation(std::move(reply), detail_));
}

void LedgerHandlers::Extend(const rpc::Call&, const pb::ExtendRequest& request,
                            base::Reply<pb::ExtendResponse> reply) {
  const absl::StatusOr<absl::Duration> lifetime = LifetimeFromProto(request.lifetime());
  if (!lifetime.ok()) return std::move(reply)(lifetime.status());
  store_.Extend(request.key(), *lifetime, WithReservation(std::move(reply), detail_));
}

void LedgerHandlers::TopUp(const rpc::Call&, const pb::TopUpRequest& request,
                           base::Reply<pb::TopUpResponse> reply) {
  store_.TopUp(
      FromProto(request),
      Converted<ledger::TopUp>(std::move(reply), [detail = detail_](const ledger::TopUp& top_up) {
        pb::TopUpResponse response;
        *response.mutable_reservation() = ToProto(top_up.reservation, detail);
        if (top_up.denial.has_value()) {
          *response.mutable_denial() = ToProto(*top_up.denial);
        }
        return response;
      }));
}

void LedgerHandlers::FreezeScope(const rpc::Call& call, const pb::FreezeScopeRequest& request,
                                 base::Reply<pb::FreezeScopeResponse> reply) {
  store_.FreezeScope({.scope = request.scope(),
                      .frozen = request.frozen(),
                      .reason = request.reason(),
                      .actor = call.principal()},
                     Converted<std::optional<FrozenScope>>(
                         std::move(reply), [](const std::optional<FrozenScope>& scope) {
                           pb::FreezeScopeResponse response;
                           if (scope.has_value()) *response.mutable_scope() = ToProto(*scope);
                           return response;
                         }));
}

void LedgerHandlers::Adjust(const rpc::Call&, const pb::AdjustRequest& request,
                            base::Reply<pb::AdjustResponse> reply) {
  store_.Adjust({.key = request.key(),
                 .reservation = request.reservation(),
                 .delta_usd_nanos = request.delta_usd_nanos(),
                 .evidence = request.evidence()},
                WithReservation(std::move(reply), detail_));
}

void LedgerHandlers::CloseOwner(const rpc::Call&, const pb::CloseOwnerRequest& request,
                                base::Reply<pb::CloseOwnerResponse> reply) {
  if (request.owner().empty()) return std::move(reply)(FieldInvalid("owner", "is required"));
  if (request.epoch_before() < 0) {
    return std::move(reply)(FieldInvalid("epoch_before", "is negative"));
  }
  store_.CloseOwner(request.owner(), request.epoch_before(),
                    Converted<Closing>(std::move(reply), [](const Closing& closing) {
                      pb::CloseOwnerResponse response;
                      response.set_closed(closing.closed);
                      response.set_charged_usd_nanos(closing.charged_usd_nanos);
                      return response;
                    }));
}

void LedgerHandlers::Quote(const rpc::Call&, const pb::QuoteRequest& request,
                           base::Reply<pb::QuoteResponse> reply) {
  store_.WorstCase(FromProto(request),
                   Converted<ledger::Quote>(std::move(reply), [](const ledger::Quote& quote) {
                     pb::QuoteResponse response;
                     response.set_cost_usd_nanos(quote.cost_usd_nanos);
                     response.set_output_pico_usd(quote.output_pico_usd);
                     response.set_input_usd_nanos(quote.input_usd_nanos);
                     *response.mutable_price() = ToProto(quote.price);
                     response.set_input_pico_usd(quote.input_pico_usd);
                     response.set_input_tokens_from(quote.input_tokens_from);
                     response.set_input_tokens_below(quote.input_tokens_below);
                     return response;
                   }));
}

void LedgerHandlers::SetBudget(const rpc::Call& call, const pb::SetBudgetRequest& request,
                               base::Reply<pb::SetBudgetResponse> reply) {
  absl::StatusOr<BudgetOrder> order = FromProto(request, call.principal());
  if (!order.ok()) return std::move(reply)(order.status());
  store_.SetBudget(*std::move(order),
                   Converted<Balance>(std::move(reply), [](const Balance& balance) {
                     pb::SetBudgetResponse response;
                     *response.mutable_balance() = ToProto(balance);
                     return response;
                   }));
}

void LedgerHandlers::DeleteBudget(const rpc::Call& call, const pb::DeleteBudgetRequest& request,
                                  base::Reply<pb::DeleteBudgetResponse> reply) {
  absl::string_view id = request.name();
  if (!absl::ConsumePrefix(&id, "budgets/")) {
    return std::move(reply)(BudgetUnknown(request.name()));
  }
  store_.DeleteBudget(std::string(id), call.principal(),
                      Converted<std::string>(std::move(reply), [](const std::string&) {
                        return pb::DeleteBudgetResponse();
                      }));
}

void LedgerHandlers::ImportPrices(const rpc::Call&, const pb::ImportPricesRequest& request,
                                  base::Reply<pb::ImportPricesResponse> reply) {
  std::vector<Price> rows;
  for (const pb::Price& price : request.prices()) rows.push_back(FromProto(price));
  if (!request.file().empty()) {
    absl::StatusOr<std::vector<Price>> read =
        request.prices().empty()
            ? store_.ReadPrices({.text = request.file(), .name = request.file_name()})
            : FieldInvalid("prices", "and file are given; give one");
    if (!read.ok()) return std::move(reply)(read.status());
    rows = *std::move(read);
  }
  store_.ImportPrices(
      std::move(rows), {request.accept().begin(), request.accept().end()},
      Converted<PriceBook::Import>(std::move(reply), [](const PriceBook::Import& import) {
        pb::ImportPricesResponse response;
        response.set_added(static_cast<int32_t>(import.added.size()));
        response.set_unchanged(import.unchanged);
        return response;
      }));
}

absl::StatusOr<pb::ListReservationsResponse> LedgerHandlers::ListReservations(
    const rpc::Call&, const pb::ListReservationsRequest& request) {
  ReservationFilter filter = {.owner = request.owner(),
                              .scope = request.scope(),
                              .owner_epoch_before = request.owner_epoch_before()};
  if (request.state() != pb::Reservation::STATE_UNSPECIFIED) {
    filter.state = static_cast<ReservationState>(request.state());
  }
  ASSIGN_OR_RETURN(const Page<Reservation> page,
                   store_.ListReservations(filter, PageFromProto(request)));
  pb::ListReservationsResponse response;
  for (const Reservation& item : page.items) *response.add_reservations() = ToProto(item);
  response.set_next_page_token(page.next_token);
  return response;
}

absl::StatusOr<pb::ListBalancesResponse> LedgerHandlers::ListBalances(
    const rpc::Call&, const pb::ListBalancesRequest& request) {
  ASSIGN_OR_RETURN(const Page<Balance> page,
                   store_.ListBalances(request.scope(), PageFromProto(request)));
  pb::ListBalancesResponse response;
  for (const Balance& item : page.items) *response.add_balances() = ToProto(item);
  response.set_next_page_token(page.next_token);
  return response;
}

absl::StatusOr<pb::GetBudgetResponse> LedgerHandlers::GetBudget(
    const rpc::Call&, const pb::GetBudgetRequest& request) {
  ASSIGN_OR_RETURN(const BudgetHistory history,
                   store_.GetBudget(std::string(absl::StripPrefix(request.name(), "budgets/"))));
  return ToProto(history);
}

absl::StatusOr<pb::ListFrozenScopesResponse> LedgerHandlers::ListFrozenScopes(
    const rpc::Call&, const pb::ListFrozenScopesRequest& request) {
  ASSIGN_OR_RETURN(const Page<FrozenScope> page, store_.ListFrozen(PageFromProto(request)));
  pb::ListFrozenScopesResponse response;
  for (const FrozenScope& item : page.items) *response.add_scopes() = ToProto(item);
  response.set_next_page_token(page.next_token);
  return response;
}

absl::StatusOr<pb::QueryUsageResponse> LedgerHandlers::QueryUsage(
    const rpc::Call&, const pb::QueryUsageRequest& request) {
  ASSIGN_OR_RETURN(const UsageFilter filter, FilterFromProto(request));
  ASSIGN_OR_RETURN(const UsageGroups groups, GroupsFromProto(request));
  ASSIGN_OR_RETURN(const Page<UsageRollup> page,
                   store_.QueryUsage(filter, groups, PageFromProto(request)));
  pb::QueryUsageResponse response;
  for (const UsageRollup& item : page.items) *response.add_rollups() = ToProto(item);
  response.set_next_page_token(page.next_token);
  return response;
}

absl::StatusOr<pb::ListUsageResponse> LedgerHandlers::ListUsage(
    const rpc::Call&, const pb::ListUsageRequest& request) {
  ASSIGN_OR_RETURN(const Page<UsageRecord> page,
                   store_.ListUsage(request.scope(), PageFromProto(request)));
  pb::ListUsageResponse response;
  for (const UsageRecord& item : page.items) *response.add_records() = ToProto(item);
  response.set_next_page_token(page.next_token);
  return response;
}

absl::StatusOr<pb::ListPricesResponse> LedgerHandlers::ListPrices(
    const rpc::Call&, const pb::ListPricesRequest& request) {
  ASSIGN_OR_RETURN(const Page<Price> page,
                   store_.ListPrices({.provider = request.provider(), .model = request.model()},
                                     PageFromProto(request)));
  pb::ListPricesResponse response;
  for (const Price& item : page.items) *response.add_prices() = ToProto(item);
  response.set_next_page_token(page.next_token);
  return response;
}

absl::StatusOr<pb::AuditResponse> LedgerHandlers::Audit(const rpc::Call& call,
                                                        const pb::AuditRequest&) {
  ASSIGN_OR_RETURN(const AuditResult result, store_.Audit([&call] { return call.IsCancelled(); }));
  return ToProto(result);
}

}  // namespace slipway::ledger
