#include "services/models/domain/call_try.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/models/domain/call_event.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/estimate.h"
#include "services/models/domain/limits.h"
#include "services/models/domain/reception.h"

namespace slipway::models {
namespace {

// The first three are named as OpenTelemetry's conventions for generative AI name them.
metrics::Histogram operation_duration(
    {.name = "gen_ai_client_operation_duration_seconds",
     .description = "Time of a call to a provider, from the hold to the end of the reply.",
     .labels = {"gen_ai_provider_name", "gen_ai_request_model", "role", "outcome"}});
metrics::Histogram time_to_first_chunk(
    {.name = "gen_ai_client_operation_time_to_first_chunk_seconds",
     .description = "Time from sending a request to the first text of its reply.",
     .labels = {"gen_ai_provider_name", "gen_ai_request_model", "role"}});
metrics::Counter token_usage({.name = "gen_ai_client_token_usage_tokens_total",
                              .description = "Tokens that providers billed.",
                              .labels = {"gen_ai_provider_name", "gen_ai_request_model", "role",
                                         "gen_ai_token_type"}});
metrics::Counter cost({.name = "slipway_models_cost_usd_nanos_total",
                       .description = "What calls cost, in billionths of a US dollar.",
                       .labels = {"provider", "model", "role"}});
metrics::Counter refusals({.name = "slipway_models_refusals_total",
                           .description = "Calls refused before anything was sent.",
                           .labels = {"role", "reason"}});

// What metering still asks of a request whose reply has begun.
std::shared_ptr<const WireRequest> WithoutBody(const WireRequest& request) {
  return std::make_shared<const WireRequest>(
      WireRequest{.dialect = request.dialect,
                  .model = request.model,
                  .stream = request.stream,
                  .usage_asked = request.usage_asked,
                  .output_tokens_max = request.output_tokens_max,
                  .input_tokens_bound = request.input_tokens_bound,
                  .bound_is_counted = request.bound_is_counted});
}

TryResult Done(absl::StatusOr<CallOutcome> outcome) {
  return {TryResult::Next::kDone, std::move(outcome)};
}

}  // namespace

CallTry::CallTry(CallEnvironment& environment, CallSpec& spec, const Route& route,
                 Provider& provider, CallRecord record)
    : environment_(environment),
      spec_(spec),
      route_(route),
      provider_(provider),
      record_(std::move(record)),
      content_(ContentOf(spec)),
      input_tokens_(InputTokensBound(spec)) {
  if (route.calibrated_holds) {
    input_tokens_ =
        environment.calibration.TokensToHold(route.provider, route.model, content_, input_tokens_);
  }
  record_.owner = environment.owner;
  record_.key_hash = spec.key_hash;
  record_.start_time = environment.clock.Now();
  record_.scopes = spec.scopes;
  record_.scopes.role = spec.role;
  record_.intent = spec.intent;
  record_.provider = route.provider;
  record_.model = route.model;
  record_.service_tier = route.service_tier;
  const int64_t asked = OutputTokensAsked(spec);
  output_tokens_ = asked > 0 ? std::min(asked, route.output_tokens_max) : route.output_tokens_max;
}

base::Task<TryResult> CallTry::Run(ReplySink& sink, Cancellation& cancellation) {
  const std::optional<Gate> held_back = environment_.gates.Enter(route_);
  if (held_back.has_value()) {
    co_return TryResult{TryResult::Next::kNextRoute,
                        GateError(*held_back, environment_.clock.Now())};
  }
  std::optional<TryResult> result = Begin(cancellation);
  if (!result.has_value()) {
    sink.OnGranted(record_.id, output_tokens_);
    started_ = environment_.clock.Elapsed();
    ProviderResult received = co_await Receive(sink, cancellation);
    AskProvidersBooks(received);
    if (received.error_passed_on) sink.OnErrorPassedOn();
    result.emplace(Finish(std::move(received), cancellation));
  }
  environment_.gates.Leave(route_, result->outcome.ok());
  co_return *std::move(result);
}

std::optional<TryResult> CallTry::Begin(Cancellation& cancellation) {
  const absl::StatusOr<Quote> quote = GetQuote();
  if (!quote.ok()) {
    refusals.Increment({spec_.role, base::ReasonOf(quote.status())});
    const bool no_price = base::ReasonOf(quote.status()) == "BUDGET_DENIED";
    return TryResult{no_price ? TryResult::Next::kNextRoute : TryResult::Next::kDone,
                     quote.status()};
  }
  const absl::Status admitted = Admit(*quote);
  if (!admitted.ok()) {
    refusals.Increment({spec_.role, base::ReasonOf(admitted)});
    return Done(admitted);
  }
  return MayStillSend(cancellation);
}

absl::StatusOr<Quote> CallTry::GetQuote() {
  if (provider_.free()) return Quote();
  const absl::StatusOr<Quote> quote = environment_.ledger.BoundCall(
      route_.provider, route_.model, route_.service_tier, input_tokens_);
  if (quote.ok()) return quote;
  if (base::ReasonOf(quote.status()) == "PRICE_UNKNOWN") {
    return BudgetDenied({.cause = "NO_PRICE"});
  }
  return LedgerUnavailable(quote.status());
}

// Records the try, takes the hold, and lowers the output to what was granted.
absl::Status CallTry::Admit(const Quote& quote) {
  const int64_t least = std::min(output_tokens_, kOutputTokensMin);
  const int64_t least_usd = CostBound(quote, least);
  record_.charge_usd_nanos = CostBound(quote, output_tokens_);
  const auto admit = [&](const KeyUse& use) { return AdmitKey(use, least_usd); };
  const bool limited = spec_.key_limit_usd_nanos > 0;
  ASSIGN_OR_RETURN(const int64_t asked_usd,
                   environment_.store.Begin(
                       record_, limited ? std::optional<Store::AdmitKey>(admit) : std::nullopt));
  const absl::StatusOr<Hold> hold = environment_.ledger.Reserve(
      {.key = record_.id,
       .scopes = record_.scopes,
       .amounts = {.usd_nanos = asked_usd, .tokens = input_tokens_ + output_tokens_},
       .minimum = {.usd_nanos = least_usd, .tokens = input_tokens_ + least},
       .envelope = spec_.envelope,
       .lifetime = route_.call_timeout + kHoldSlack,
       .owner = environment_.owner,
       .provider = route_.provider,
       .model = route_.model,
       .service_tier = route_.service_tier});
  if (!hold.ok()) {
    // The hold may exist although the answer was lost.
    const bool refused = absl::IsInvalidArgument(hold.status());
    const absl::Status error = refused ? hold.status() : LedgerUnavailable(hold.status());
    return Refuse(error, "FAILED", Proof::kNotSent).outcome.status();
  }
  if (hold->denial.has_value()) {
    const Denial& denial = *hold->denial;
    if (denial.cause != "HELD_BY_SIBLINGS") {
      return Refuse(BudgetDenied(denial), "REFUSED", std::nullopt).outcome.status();
    }
    // The time is when a hold expires at the latest; most end long before.
    const absl::Duration wait =
        denial.retry_time.has_value()
            ? std::min(*denial.retry_time - environment_.clock.Now(), kBusyRetryDefault)
            : kBusyRetryDefault;
    const absl::Status busy = BudgetBusy(denial, std::max(wait, absl::Milliseconds(100)));
    return Refuse(busy, "REFUSED", std::nullopt).outcome.status();
  }
  if (!hold->open) {
    return Refuse(OutcomeUnknown(record_.id, "its hold has ended before it began"), "FAILED",
                  std::nullopt)
        .outcome.status();
  }
  record_.charge_usd_nanos = hold->held.usd_nanos;
  output_tokens_ = OutputTokensGranted(quote, hold->held, input_tokens_, output_tokens_);
  if (output_tokens_ >= least) return absl::OkStatus();
  return Refuse(BudgetDenied({.cause = "LIMIT", .requested = least, .remaining = output_tokens_}),
                "REFUSED", Proof::kNotSent)
      .outcome.status();
}

// What the key's own limit leaves, in the same transaction that records the try.
absl::StatusOr<int64_t> CallTry::AdmitKey(const KeyUse& use, int64_t minimum) const {
  const int64_t left = spec_.key_limit_usd_nanos - use.settled_usd_nanos;
  const int64_t free = left - use.held_usd_nanos;
  if (free >= minimum) return std::min(record_.charge_usd_nanos, free);
  Denial denial = {.cause = "LIMIT",
                   .scope = spec_.scopes.attempt,
                   .requested = minimum,
                   .remaining = std::max<int64_t>(free, 0)};
  if (left < minimum) return BudgetDenied(denial);
  denial.cause = "HELD_BY_SIBLINGS";
  return BudgetBusy(denial, kBusyRetryDefault);
}

// Ends a try before anything was sent.
TryResult CallTry::Refuse(absl::Status error, const char* outcome, std::optional<Proof> released) {
  record_.outcome = outcome;
  record_.reason = base::ReasonOf(error);
  record_.error = error;
  record_.charge_usd_nanos = 0;
  std::optional<Settlement> owed;
  if (released.has_value()) {
    owed = SettlementOf({.kind = ProviderResult::Kind::kFailed, .proof = *released});
  }
  absl::Status ended = End(owed);
  const bool still_owed = owed.has_value() && !environment_.settler.Settle(*owed).ok();
  ended.Update(KeepEnd(still_owed));
  if (!ended.ok()) log::Error("a refused call was not recorded", {{"call", record_.id}});
  return Done(std::move(error));
}

std::optional<TryResult> CallTry::MayStillSend(Cancellation& cancellation) {
  if (cancellation.cancelled()) {
    return Refuse(CallCancelled(cancellation.why()), "CANCELLED", Proof::kNotSent);
  }
  const absl::Status marked = environment_.store.MarkSending(record_.id, record_.charge_usd_nanos);
  if (!marked.ok()) return Refuse(marked, "FAILED", Proof::kNotSent);
  return std::nullopt;
}

base::Task<ProviderResult> CallTry::Receive(ReplySink& sink, Cancellation& cancellation) {
  const bool passed_on = spec_.wire != nullptr;
  // What is passed on cannot be asked for again: each request has an id of its own.
  Reception::Options options = {.bytes_max = passed_on ? kWireReplyBytesMax : kReplyBytesMax,
                                .keep_text = !passed_on,
                                .tell_complete = passed_on};
  if (!spec_.key_hash.empty()) {
    options.on_complete = [this] {
      unsettled_.emplace(environment_.unsettled, record_.scopes.attempt);
    };
  }
  if (passed_on) {
    options.on_first_text = [this] { spec_.wire = WithoutBody(*spec_.wire); };
  }
  Reception reception(std::move(options), sink, environment_.clock);
  std::unique_ptr<base::Timer> timeout = environment_.clock.RunAfter(
      route_.call_timeout, [&reception] { reception.Interrupt("CALL_TIMEOUT"); });
  cancellation.Listen([&reception] { reception.Interrupt("CALL_CANCELLED"); });
  reception.Attach(provider_.Start({.id = record_.id,
                                    .role = spec_.role,
                                    .intent = spec_.intent,
                                    .scopes = record_.scopes,
                                    .model = route_.model,
                                    .service_tier = route_.service_tier,
                                    .reasoning_effort = route_.reasoning_effort,
                                    .messages = spec_.messages,
                                    .response_schema = spec_.response_schema,
                                    .output_tokens_max = output_tokens_,
                                    .wire = spec_.wire},
                                   reception));
  base::Callback<bool> ended(
      [&reception](base::Callback<bool>::Done done) { reception.OnEnded(std::move(done)); });
  co_await ended;
  co_await base::GoOn(environment_.endings);
  cancellation.Listen(nullptr);
  timeout.reset();
  reception.Close();  // Before the books are asked: nothing is billed after this.
  spoke_ = reception.spoke();
  if (spoke_) first_text_after_ = *reception.first_text_at() - started_;
  record_.reply = reception.TakeText();
  co_return reception.TakeResult();
}

// Where the reply does not tell what was billed, the provider's own records may.
void CallTry::AskProvidersBooks(ProviderResult& result) {
  if (result.kind == ProviderResult::Kind::kFailed || result.tokens.has_value()) return;
  const Reconciliation books = provider_.Reconcile(record_.id);
  if (books.kind == Reconciliation::Kind::kBilled) result.tokens = books.tokens;
  if (books.kind == Reconciliation::Kind::kNotBilled) {
    result.proof = Proof::kNotSent;
    if (result.kind == ProviderResult::Kind::kUnknown) result.tokens = TokenCounts();
  }
}

TryResult CallTry::Finish(ProviderResult result, const Cancellation& cancellation) {
  if (result.model.empty()) result.model = route_.model;
  if (result.service_tier.empty()) result.service_tier = route_.service_tier;
  record_.finish_reason = result.finish_reason;
  record_.tokens = result.tokens.value_or(TokenCounts());
  const Settlement settlement = SettlementOf(result);
  TryResult judged = Judge(result);
  // Another reply after a part of this one would be nonsense.
  if (spoke_) judged.next = TryResult::Next::kDone;
  if (result.kind == ProviderResult::Kind::kUnknown && cancellation.cancelled()) {
    record_.outcome = "CANCELLED";
    record_.reason = cancellation.why();
    judged.outcome = CallCancelled(cancellation.why());
  }
  record_.error = judged.outcome.status();
  record_.input = SampleOf(result);
  absl::Status ended = End(settlement);
  const absl::StatusOr<int64_t> charged = environment_.settler.Settle(settlement);
  unsettled_.reset();
  if (charged.ok()) record_.charge_usd_nanos = *charged;
  if (!charged.ok()) {
    log::Warning("the ledger was not told the end of a call yet",
                 {{"call", record_.id}, {"error", charged.status().message()}});
  }
  ended.Update(KeepEnd(!charged.ok()));
  if (ended.ok() && record_.input.has_value()) environment_.calibration.Learn(*record_.input);
  CloseGate(result);
  Count(result);
  if (!ended.ok()) return Done(ended);
  if (judged.outcome.ok()) {
    judged.outcome->model = result.model;
    judged.outcome->service_tier = result.service_tier;
    judged.outcome->cost_usd_nanos = record_.charge_usd_nanos;
  }
  return judged;
}

// What a result means for the caller and for the record.
TryResult CallTry::Judge(const ProviderResult& result) {
  record_.reason = result.reason;
  if (result.kind == ProviderResult::Kind::kComplete) {
    record_.outcome = "OK";
    if (!result.tokens.has_value()) record_.reason = "USAGE_MISSING";
    return Done(CallOutcome{.call = record_.id,
                            .provider = route_.provider,
                            .tokens = record_.tokens,
                            .finish_reason = result.finish_reason});
  }
  if (result.kind == ProviderResult::Kind::kUnknown) {
    record_.outcome = "INCOMPLETE";
    return Done(OutcomeUnknown(spec_.call_id, absl::StrCat(result.reason, " ", result.detail)));
  }
  record_.outcome = "FAILED";
  const std::string gate = LimitGateName(route_);
  switch (result.failure) {
    case FailureClass::kTransient:
      return {TryResult::Next::kSameRoute, ProviderUnavailable(route_.provider, result.detail)};
    case FailureClass::kWait:
      return {TryResult::Next::kNextRoute,
              GateClosed(gate, "WAIT", result.retry_after.value_or(kGateWaitDefault))};
    case FailureClass::kMoney:
      return {TryResult::Next::kNextRoute, GateClosed(gate, "MONEY", kGateRecheck)};
    case FailureClass::kConfig:
      return {TryResult::Next::kNextRoute, ProviderRefused(route_.provider, result.detail)};
    case FailureClass::kRequest:
      break;
  }
  if (result.reason == "CONTEXT_TOO_LONG") {
    return {TryResult::Next::kNextRoute, PromptTooLargeForProvider(route_.provider, result.detail)};
  }
  return Done(RequestRefused(route_.provider, result.reason, result.detail));
}

void CallTry::CloseGate(const ProviderResult& result) {
  Gate gate = {.name = result.whole_provider ? ProviderGateName(route_.provider)
                                             : ModelGateName(route_.provider, route_.model),
               .detail = result.detail};
  const absl::Time now = environment_.clock.Now();
  const bool failed = result.kind == ProviderResult::Kind::kFailed;
  if (failed && result.failure == FailureClass::kMoney) {
    gate.cause = "MONEY";
    if (result.retry_after.has_value())
      gate.until = now + std::min(*result.retry_after, kGateWaitMax);
  } else if (failed && result.failure == FailureClass::kConfig) {
    gate.cause = "CONFIG";
  } else if (result.retry_after.has_value() || (failed && result.failure == FailureClass::kWait)) {
    gate.cause = "WAIT";
    if (!result.whole_provider) gate.name = LimitGateName(route_);
    const absl::Duration wait = result.retry_after.has_value()
                                    ? *result.retry_after
                                    : environment_.gates.Backoff(gate.name);
    gate.until = now + std::min(wait, kGateWaitMax);
  } else {
    return;
  }
  const absl::Status closed = environment_.gates.Close(gate);
  log::Warning("gate closed", {{"gate", gate.name},
                               {"cause", gate.cause},
                               {"reason", result.reason},
                               {"durable", closed.ok()}});
}

Settlement CallTry::SettlementOf(const ProviderResult& result) const {
  Settlement settlement = {.reservation = record_.id,
                           .proof = result.proof,
                           .free = provider_.free(),
                           .provider = route_.provider,
                           .model = result.model,
                           .service_tier = result.service_tier,
                           .asked_model = route_.model,
                           .asked_tier = route_.service_tier,
                           .provider_request_id = result.request_id,
                           .since = environment_.clock.Now()};
  const bool books_say_nothing = result.kind == ProviderResult::Kind::kUnknown &&
                                 result.tokens.has_value() && *result.tokens == TokenCounts();
  if (result.kind == ProviderResult::Kind::kFailed || books_say_nothing) {
    settlement.kind = Settlement::Kind::kRelease;
  } else if (result.tokens.has_value()) {
    settlement.kind = Settlement::Kind::kUsage;
    settlement.tokens = *result.tokens;
  } else {
    settlement.kind = Settlement::Kind::kUnknown;
  }
  return settlement;
}

std::optional<InputSample> CallTry::SampleOf(const ProviderResult& result) const {
  if (result.kind != ProviderResult::Kind::kComplete || !result.tokens.has_value()) {
    return std::nullopt;
  }
  if (spec_.wire != nullptr && spec_.wire->bound_is_counted) return std::nullopt;
  const TokenCounts& tokens = *result.tokens;
  return InputSample{.provider = route_.provider,
                     .model = route_.model,
                     .content = content_,
                     .bound_tokens = InputTokensBound(spec_),
                     .counted_tokens = tokens.input + tokens.cache_read + tokens.cache_write +
                                       tokens.cache_write_long};
}

absl::Status CallTry::End(const std::optional<Settlement>& owed) {
  record_.phase = Phase::kEnded;
  record_.end_time = environment_.clock.Now();
  return environment_.store.End(record_, owed, CallFinished(record_));
}

// What a caller is told, or what the ledger has yet to be told, must survive a power failure. An
// agent's reply was told when it was whole, and once the ledger knows its cost, the ledger's word
// stands: the record then becomes durable when somebody reads it, within seconds.
absl::Status CallTry::KeepEnd(bool still_owed) {
  const bool told = spec_.wire == nullptr;
  return told || still_owed ? environment_.store.Sync() : absl::OkStatus();
}

void CallTry::Count(const ProviderResult& result) const {
  const absl::Duration latency = environment_.clock.Elapsed() - started_;
  operation_duration.Observe({route_.provider, route_.model, spec_.role, record_.outcome}, latency);
  if (first_text_after_.has_value()) {
    time_to_first_chunk.Observe({route_.provider, route_.model, spec_.role}, *first_text_after_);
  }
  const TokenCounts tokens = result.tokens.value_or(TokenCounts());
  const int64_t input =
      tokens.input + tokens.cache_read + tokens.cache_write + tokens.cache_write_long;
  token_usage.Increment({route_.provider, route_.model, spec_.role, "input"},
                        static_cast<uint64_t>(std::max<int64_t>(input, 0)));
  token_usage.Increment({route_.provider, route_.model, spec_.role, "output"},
                        static_cast<uint64_t>(std::max<int64_t>(tokens.output, 0)));
  if (result.kind != ProviderResult::Kind::kFailed) {
    cost.Increment({route_.provider, route_.model, spec_.role},
                   static_cast<uint64_t>(std::max<int64_t>(record_.charge_usd_nanos, 0)));
  }
  log::Info("call ended", {{"call", record_.id},
                           {"role", spec_.role},
                           {"provider", route_.provider},
                           {"model", route_.model},
                           {"outcome", record_.outcome},
                           {"reason", record_.reason},
                           {"input_tokens", input},
                           {"output_tokens", tokens.output},
                           {"cost_usd_nanos", record_.charge_usd_nanos}});
}

}  // namespace slipway::models
