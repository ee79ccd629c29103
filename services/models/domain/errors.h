#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/models/domain/ledger.h"

namespace slipway::models {

absl::Status CallIdInvalid(absl::string_view call_id);
absl::Status CallIdReused(absl::string_view call_id);
absl::Status PromptInvalid(absl::string_view problem);
// The provider refused the request itself; `cause` is its reason.
absl::Status RequestRefused(absl::string_view provider, absl::string_view cause,
                            absl::string_view detail);
absl::Status AttemptRevoked(absl::string_view attempt);
absl::Status KeySuperseded(absl::string_view attempt);
absl::Status PromptTooLarge(absl::string_view role, int64_t tokens, int64_t tokens_max);
// The same by characters.
absl::Status ContextTooLong(absl::string_view role, int64_t characters, int64_t characters_max);
absl::Status PromptTooLargeForProvider(absl::string_view provider, absl::string_view detail);
absl::Status DialectUnsupported(absl::string_view provider, absl::string_view dialect);
absl::Status RecordingUnknown(absl::string_view scope);
absl::Status CassetteUnknown(absl::string_view plan);
absl::Status DecisionUnknown(absl::string_view scope);
absl::Status CallUnknown(absl::string_view call);
absl::Status RequestIdRequired();
absl::Status BatchTooLarge(int operations, int operations_max);
absl::Status RoleUnknown(absl::string_view role);
absl::Status RouteMissing(absl::string_view role);
absl::Status ApprovalRequired(absl::string_view role);
// As many calls are under way as there may be.
absl::Status CallsExhausted(int calls_max);
absl::Status BudgetDenied(const Denial& denial);
absl::Status BudgetBusy(const Denial& denial, absl::Duration retry_after);
absl::Status GateClosed(absl::string_view gate, absl::string_view cause,
                        absl::Duration retry_after);
absl::Status ProviderUnavailable(absl::string_view provider, absl::string_view detail);
absl::Status ProviderRefused(absl::string_view provider, absl::string_view detail);
absl::Status LedgerUnavailable(const absl::Status& cause);
absl::Status OutcomeUnknown(absl::string_view call_id, absl::string_view detail);
absl::Status CallCancelled(absl::string_view why);
absl::Status PriceUnknown(absl::string_view provider, absl::string_view model);
absl::Status ScopeInvalid(absl::string_view problem);
absl::Status LifetimeInvalid();
absl::Status LimitInvalid();
absl::Status PageInvalid();
absl::Status GateUnknown(absl::string_view gate);
absl::Status KeyInvalid();
absl::Status RoleForbidden(absl::string_view role);
absl::Status ConfigInvalid(absl::string_view problem);

}  // namespace slipway::models
