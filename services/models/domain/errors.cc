#include "services/models/domain/errors.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

using absl::StatusCode;
using base::Error;
using base::RetryableError;

std::map<std::string, std::string> DenialMetadata(const Denial& denial) {
  return {{"budget", denial.budget},
          {"scope", denial.scope},
          {"cause", denial.cause},
          {"requested", absl::StrCat(denial.requested)},
          {"remaining", absl::StrCat(denial.remaining)}};
}

}  // namespace

absl::Status CallIdInvalid(absl::string_view call_id) {
  return Error(StatusCode::kInvalidArgument, "CALL_ID_INVALID",
               absl::StrCat("call_id must be 1 to ", kCallIdBytesMax,
                            " printable ASCII characters without blanks"),
               {{"call_id", std::string(call_id.substr(0, 64))}});
}

absl::Status CallIdReused(absl::string_view call_id) {
  return Error(StatusCode::kAlreadyExists, "CALL_ID_REUSED",
               absl::StrCat("call ", call_id, " was made with another request: use a new call_id"),
               {{"call_id", std::string(call_id)}});
}

absl::Status PromptInvalid(absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "PROMPT_INVALID", problem);
}

absl::Status RequestRefused(absl::string_view provider, absl::string_view cause,
                            absl::string_view detail) {
  return Error(StatusCode::kInvalidArgument, "PROMPT_INVALID",
               absl::StrCat(provider, " refused the request: ", cause, ": ", detail),
               {{"provider", std::string(provider)}, {"cause", std::string(cause)}});
}

absl::Status PromptTooLarge(absl::string_view role, int64_t tokens, int64_t tokens_max) {
  return Error(
      StatusCode::kInvalidArgument, "PROMPT_TOO_LARGE",
      absl::StrCat("the prompt may have ", tokens, " tokens (at most one per byte), role ", role,
                   " allows ", tokens_max, ": shorten it or raise input_tokens_max of the route"),
      {{"role", std::string(role)},
       {"tokens", absl::StrCat(tokens)},
       {"tokens_max", absl::StrCat(tokens_max)}});
}

absl::Status ContextTooLong(absl::string_view role, int64_t characters, int64_t characters_max) {
  return Error(
      StatusCode::kInvalidArgument, "PROMPT_TOO_LARGE",
      absl::StrCat("the prompt has ", characters, " characters, role ", role, " allows ",
                   characters_max, ": shorten it or raise context_characters_max of the route"),
      {{"role", std::string(role)},
       {"characters", absl::StrCat(characters)},
       {"characters_max", absl::StrCat(characters_max)}});
}

absl::Status PromptTooLargeForProvider(absl::string_view provider, absl::string_view detail) {
  return Error(StatusCode::kInvalidArgument, "PROMPT_TOO_LARGE",
               absl::StrCat(provider, " says the prompt is too large: ", detail),
               {{"provider", std::string(provider)}});
}

absl::Status DialectUnsupported(absl::string_view provider, absl::string_view dialect) {
  return Error(StatusCode::kInvalidArgument, "DIALECT_UNSUPPORTED",
               absl::StrCat("provider ", provider, " does not take requests in the dialect ",
                            dialect, ": ask in another, or route the role to a provider that does"),
               {{"provider", std::string(provider)}, {"dialect", std::string(dialect)}});
}

absl::Status RecordingUnknown(absl::string_view scope) {
  return Error(StatusCode::kNotFound, "RECORDING_UNKNOWN",
               absl::StrCat("\"", scope.substr(0, 200),
                            "\" is not being recorded by request; ListCassettes lists what is"),
               {{"scope", std::string(scope.substr(0, 200))}});
}

absl::Status CassetteUnknown(absl::string_view plan) {
  return Error(StatusCode::kNotFound, "CASSETTE_UNKNOWN",
               absl::StrCat("nothing was recorded of \"", plan.substr(0, 200),
                            "\"; ListCassettes lists what was"),
               {{"plan", std::string(plan.substr(0, 200))}});
}

absl::Status DecisionUnknown(absl::string_view scope) {
  return Error(StatusCode::kNotFound, "DECISION_UNKNOWN",
               absl::StrCat("no attempt of \"", scope.substr(0, 200),
                            "\" was given a role yet, or it was too long ago"),
               {{"scope", std::string(scope.substr(0, 200))}});
}

absl::Status CallUnknown(absl::string_view call) {
  return Error(StatusCode::kNotFound, "CALL_UNKNOWN",
               absl::StrCat("no call \"", call.substr(0, 200), "\"; ListCalls lists them"),
               {{"call", std::string(call.substr(0, 200))}});
}

absl::Status RequestIdRequired() {
  return Error(StatusCode::kInvalidArgument, "REQUEST_ID_REQUIRED",
               "request_id is missing: choose a unique one, so that a repeat changes nothing");
}

absl::Status RoleUnknown(absl::string_view role) {
  return Error(
      StatusCode::kInvalidArgument, "ROLE_UNKNOWN",
      absl::StrCat("\"", role.substr(0, 64), "\" is not the name of a role: 1 to 63 of [a-z0-9_-]"),
      {{"role", std::string(role.substr(0, 64))}});
}

absl::Status RouteMissing(absl::string_view role) {
  return Error(StatusCode::kFailedPrecondition, "ROUTE_MISSING",
               absl::StrCat("no route serves role ", role,
                            ": add one for it or for \"*\" to the configuration of models"),
               {{"role", std::string(role)}});
}

absl::Status ApprovalRequired(absl::string_view role) {
  return Error(StatusCode::kFailedPrecondition, "APPROVAL_REQUIRED",
               absl::StrCat("every route of role ", role,
                            " needs a person's approval for each call: slipway models approve, or "
                            "add a route without manual_approval"),
               {{"role", std::string(role)}});
}

absl::Status CallsExhausted(int calls_max) {
  return base::RetryableError(
      absl::StatusCode::kResourceExhausted, "CALLS_EXHAUSTED",
      absl::StrCat(calls_max,
                   " calls are under way, which is the most: try again in a moment, or raise "
                   "calls_max in the configuration of the models service"),
      absl::Seconds(1));
}

absl::Status BudgetDenied(const Denial& denial) {
  return Error(StatusCode::kResourceExhausted, "BUDGET_DENIED",
               absl::StrCat("the budget of ", denial.scope.empty() ? "the call" : denial.scope,
                            " does not allow this call (", denial.cause, "): requested ",
                            denial.requested, ", remaining ", denial.remaining,
                            denial.cause == "NO_PRICE" ? "; import a price for the model"
                                                       : "; raise the limit or ask for less"),
               DenialMetadata(denial));
}

absl::Status BudgetBusy(const Denial& denial, absl::Duration retry_after) {
  return RetryableError(StatusCode::kResourceExhausted, "BUDGET_BUSY",
                        absl::StrCat("calls under way hold the rest of the budget of ",
                                     denial.scope, ": ask again when they have ended"),
                        retry_after, DenialMetadata(denial));
}

absl::Status GateClosed(absl::string_view gate, absl::string_view cause,
                        absl::Duration retry_after) {
  return RetryableError(StatusCode::kUnavailable, "GATE_CLOSED",
                        absl::StrCat(gate, " is closed (", cause, ")"), retry_after,
                        {{"gate", std::string(gate)}, {"cause", std::string(cause)}});
}

absl::Status ProviderUnavailable(absl::string_view provider, absl::string_view detail) {
  return RetryableError(StatusCode::kUnavailable, "PROVIDER_UNAVAILABLE",
                        absl::StrCat("provider ", provider, " cannot be used now: ", detail),
                        kGateWaitDefault, {{"provider", std::string(provider)}});
}

absl::Status ProviderRefused(absl::string_view provider, absl::string_view detail) {
  return Error(StatusCode::kFailedPrecondition, "PROVIDER_REFUSED",
               absl::StrCat("provider ", provider, " refuses the configuration or key: ", detail,
                            "; correct it and restart models, or open the gate"),
               {{"provider", std::string(provider)}});
}

absl::Status LedgerUnavailable(const absl::Status& cause) {
  return RetryableError(
      StatusCode::kUnavailable, "LEDGER_UNAVAILABLE",
      absl::StrCat("nothing was sent, because the ledger cannot be asked: ", cause.message()),
      absl::Seconds(2));
}

absl::Status OutcomeUnknown(absl::string_view call_id, absl::string_view detail) {
  return Error(StatusCode::kAborted, "OUTCOME_UNKNOWN",
               absl::StrCat("call ", call_id, " did not end as it should: ", detail,
                            "; what it may have cost is charged, use a new call_id to try again"),
               {{"call_id", std::string(call_id)}});
}

absl::Status CallCancelled(absl::string_view why) {
  return Error(StatusCode::kCancelled, "CALL_CANCELLED",
               absl::StrCat("the call was cancelled: ", why), {{"why", std::string(why)}});
}

absl::Status PriceUnknown(absl::string_view provider, absl::string_view model) {
  return Error(StatusCode::kFailedPrecondition, "PRICE_UNKNOWN",
               absl::StrCat("the ledger knows no price of ", provider, "/", model, ": import one"),
               {{"provider", std::string(provider)}, {"model", std::string(model)}});
}

absl::Status ScopeInvalid(absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "SCOPE_INVALID", problem);
}

absl::Status LifetimeInvalid() {
  return Error(StatusCode::kInvalidArgument, "LIFETIME_INVALID",
               "lifetime must be above 0 and at most 24 hours");
}

absl::Status LimitInvalid() {
  return Error(StatusCode::kInvalidArgument, "LIMIT_INVALID",
               "limit_usd_nanos and token limits must not be negative");
}

absl::Status BatchTooLarge(int operations, int operations_max) {
  return Error(StatusCode::kInvalidArgument, "BATCH_TOO_LARGE",
               absl::StrCat(operations, " operations in one call; send at most ", operations_max));
}

absl::Status PageInvalid() {
  return Error(StatusCode::kInvalidArgument, "PAGE_INVALID",
               "page_size must not be negative and page_token must be one that was returned");
}

absl::Status GateUnknown(absl::string_view gate) {
  return Error(StatusCode::kNotFound, "GATE_UNKNOWN",
               absl::StrCat("no gate ", gate, " is closed; ListProviders lists those that are"),
               {{"gate", std::string(gate)}});
}

absl::Status KeyInvalid() {
  return Error(StatusCode::kUnauthenticated, "KEY_INVALID",
               "the key is missing, unknown, expired or revoked");
}

absl::Status AttemptRevoked(absl::string_view attempt) {
  return Error(StatusCode::kFailedPrecondition, "ATTEMPT_REVOKED",
               absl::StrCat("the keys of ", attempt,
                            " were revoked, and it gets no other: begin a new attempt"),
               {{"attempt", std::string(attempt)}});
}

absl::Status KeySuperseded(absl::string_view attempt) {
  return Error(StatusCode::kAborted, "KEY_SUPERSEDED",
               absl::StrCat(attempt, " has a key that was asked for later, after a restart"),
               {{"attempt", std::string(attempt)}});
}

absl::Status RoleForbidden(absl::string_view role) {
  return Error(StatusCode::kPermissionDenied, "ROLE_FORBIDDEN",
               absl::StrCat("the key may not call role ", role.substr(0, 64),
                            "; GET /v1/models lists those that it may"),
               {{"role", std::string(role.substr(0, 64))}});
}

absl::Status ConfigInvalid(absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "CONFIG_INVALID", problem);
}

}  // namespace slipway::models
