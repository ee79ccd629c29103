#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/rpc/call.h"
#include "services/ledger/domain/ledger_store.h"
#include "slipway/ledger/v1/ledger_service.pb.h"

// Between messages and values. FromProto checks what only the wire can get wrong; the ledger checks
// the rest.
namespace slipway::ledger {

namespace pb = ::slipway::ledger::v1;

absl::StatusOr<ReserveOrder> FromProto(const pb::ReserveRequest& request);
TopUpOrder FromProto(const pb::TopUpRequest& request);
QuoteOrder FromProto(const pb::QuoteRequest& request);
SettleOrder FromProto(const pb::SettleRequest& request);
absl::StatusOr<BudgetOrder> FromProto(const pb::SetBudgetRequest& request,
                                      const std::string& actor);
Price FromProto(const pb::Price& price);
absl::StatusOr<UsageFilter> FilterFromProto(const pb::QueryUsageRequest& request);
absl::StatusOr<UsageGroups> GroupsFromProto(const pb::QueryUsageRequest& request);
absl::StatusOr<absl::Duration> LifetimeFromProto(const google::protobuf::Duration& lifetime);

// What a reply tells of a reservation.
enum class Detail {
  kAll,
  kOutcome,  // Nothing that its request said, but its key.
};

pb::Reservation ToProto(const Reservation& reservation, Detail detail = Detail::kAll);
pb::Balance ToProto(const Balance& balance);
pb::Denial ToProto(const Denial& denial);
pb::FrozenScope ToProto(const FrozenScope& scope);
pb::GetBudgetResponse ToProto(const BudgetHistory& history);
pb::UsageRecord ToProto(const UsageRecord& record);
pb::UsageRollup ToProto(const UsageRollup& rollup);
pb::Price ToProto(const Price& price);
pb::AuditResponse ToProto(const AuditResult& result);

template <typename Request>
PageRequest PageFromProto(const Request& request) {
  return {.size = request.page_size(), .token = request.page_token()};
}

}  // namespace slipway::ledger
