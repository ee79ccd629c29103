#include "services/models/domain/call_try.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "services/models/domain/call_event.h"
#include "services/models/domain/call_metrics.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/estimate.h"
#include "services/models/domain/limits.h"
#include "services/models/domain/reception.h"

namespace slipway::models {
namespace {

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

base::Task<TryResult> CallTry::Run(ReplySink& sink, Cancellation& cancellation,
                                   CallThread& thread) {
  const std::optional<Gate> held_back = environment_.gates.Enter(route_);
  if (held_back.has_value()) {
    co_return TryResult{TryResult::Next::kNextRoute,
                        GateError(*held_back, environment_.clock.Now())};
  }
  std::optional<TryResult> result = co_await Begin(cancellation, thread);
  if (!result.has_value()) {
    const bool quick = provider_.StartsAtOnce() && spec_.wire != nullptr &&
                       spec_.wire->body.size() <= kQuickRequestBytes;
    if (!quick) co_await thread.MayBlock();
    sink.OnGranted(record_.id, output_tokens_);
    started_ = environment_.clock.Elapsed();
    ProviderResult received = co_await Receive(sink, cancellation);
    thread.MovedTo(/*may_block=*/true);
    AskProvidersBooks(received);
    if (received.error_passed_on) sink.OnErrorPassedOn();
    result.emplace(Finish(std::move(received), cancellation));
  }
  environment_.gates.Leave(route_, result->outcome.ok());
  co_return *std::move(result);
}

// What stands against sending is found, or dealt with, on a thread that may block.
base::Task<std::optional<TryResult>> CallTry::Begin(Cancellation& cancellation,
                                                    CallThread& thread) {
  std::optional<Quote> known =
      provider_.free() ? Quote()
                       : environment_.ledger.KnownBound(route_.provider, route_.model,
                                                        route_.service_tier, input_tokens_);
  if (!known.has_value()) {
    co_await thread.MayBlock();
    const absl::StatusOr<Quote> quote = AskQuote();
    if (!quote.ok()) {
      CountRefusal(spec_.role, quote.status());
      const bool no_price = base::ReasonOf(quote.status()) == "BUDGET_DENIED";
      co_return TryResult{no_price ? TryResult::Next::kNextRoute : TryResult::Next::kDone,
                          quote.status()};
    }
    known = *quote;
  }
  const absl::Status admitted = co_await Admit(*known, thread);
  if (!admitted.ok()) {
    co_await thread.MayBlock();
    CountRefusal(spec_.role, admitted);
    co_return Done(admitted);
  }
  if (cancellation.cancelled()) {
    co_await thread.MayBlock();
    co_return Refuse(CallCancelled(cancellation.why()), "CANCELLED", Proof::kNotSent);
  }
  const absl::Status marked = environment_.store.MarkSending(record_.id);
  if (marked.ok()) co_return std::nullopt;
  co_await thread.MayBlock();
  co_return Refuse(marked, "FAILED", Proof::kNotSent);
}

absl::StatusOr<Quote> CallTry::AskQuote() {
  const absl::StatusOr<Quote> quote = environment_.ledger.BoundCall(
      route_.provider, route_.model, route_.service_tier, input_tokens_);
  if (quote.ok()) return quote;
  if (base::ReasonOf(quote.status()) == "PRICE_UNKNOWN") {
    return BudgetDenied({.cause = "NO_PRICE"});
  }
  return LedgerUnavailable(quote.status());
}

// Takes the hold, records the try, and lowers the output to what was granted.
base::Task<absl::Status> CallTry::Admit(const Quote& quote, CallThread& thread) {
  const int64_t least = std::min(output_tokens_, kOutputTokensMin);
  const int64_t least_usd = CostBound(quote, least);
  record_.charge_usd_nanos = CostBound(quote, output_tokens_);
  HoldRequest request = {
      .key = record_.id,
      .scopes = record_.scopes,
      .amounts = {.usd_nanos = record_.charge_usd_nanos, .tokens = input_tokens_ + output_tokens_},
      .minimum = {.usd_nanos = least_usd, .tokens = input_tokens_ + least},
      .envelope = spec_.envelope,
      .lifetime = route_.call_timeout + kHoldSlack,
      .owner = environment_.owner,
      .provider = route_.provider,
      .model = route_.model,
      .service_tier = route_.service_tier};
  const absl::Status noted = environment_.store.NoteHold(record_.id);
  if (!noted.ok()) co_return noted;
  absl::StatusOr<Hold> hold;
  if (RecordsFirst()) {
    co_await thread.MayBlock();
    const absl::StatusOr<int64_t> asked = Record(least_usd);
    if (!asked.ok()) {
      environment_.store.ForgetHold(record_.id);
      co_return asked.status();
    }
    request.amounts.usd_nanos = *asked;
    hold = environment_.ledger.Reserve(request);
  } else {
    HeldAndRecorded both = co_await HoldAndRecord(environment_.ledger, request, MakeRecordJob(),
                                                  environment_.beginnings, thread);
    hold = std::move(both.hold);
    if (absl::IsUnavailable(hold.status())) {
      co_await thread.MayBlock();
      hold = environment_.ledger.Reserve(request);
    }
    if (!both.recorded.ok()) {
      co_await thread.MayBlock();
      GiveBackUnrecorded(hold);
      co_return both.recorded;
    }
  }
  std::optional<Refusal> refusal = AgainstHold(hold, quote, least);
  if (!refusal.has_value() && record_.charge_usd_nanos < request.amounts.usd_nanos) {
    co_await thread.MayBlock();
    const absl::Status lowered =
        environment_.store.LowerCharge(record_.id, record_.charge_usd_nanos);
    if (!lowered.ok()) refusal = {lowered, "FAILED", Proof::kNotSent};
  }
  if (!refusal.has_value()) co_return absl::OkStatus();
  co_await thread.MayBlock();
  co_return Refuse(refusal->error, refusal->outcome, refusal->released).outcome.status();
}

// Where the record decides how much may be asked for, or whether anything; and where the caller has
// chosen the id, so that a repeat finds its number taken.
bool CallTry::RecordsFirst() const {
  return spec_.key_limit_usd_nanos > 0 || !record_.approval.empty() || spec_.wire == nullptr;
}

absl::StatusOr<int64_t> CallTry::Record(int64_t least_usd) {
  const auto admit = [&](const KeyUse& use) { return AdmitKey(use, least_usd); };
  const bool limited = spec_.key_limit_usd_nanos > 0;
  return environment_.store.Begin(record_,
                                  limited ? std::optional<Store::AdmitKey>(admit) : std::nullopt);
}

RecordJob CallTry::MakeRecordJob() const {
  RecordJob job = {[this] { return environment_.store.Begin(record_, std::nullopt).status(); },
                   [] {}};
  if (provider_.free()) return job;
  job.afterwards = [&ledger = environment_.ledger, provider = route_.provider, model = route_.model,
                    tier = route_.service_tier,
                    tokens = input_tokens_] { ledger.RefreshBound(provider, model, tier, tokens); };
  return job;
}

// The ledger may hold for a try that could not be recorded.
void CallTry::GiveBackUnrecorded(const absl::StatusOr<Hold>& hold) {
  const bool nothing_held =
      absl::IsInvalidArgument(hold.status()) || (hold.ok() && hold->denial.has_value());
  if (!nothing_held) {
    const Settlement release =
        SettlementOf({.kind = ProviderResult::Kind::kFailed, .proof = Proof::kNotSent});
    if (!environment_.settler.Settle(release).ok()) {
      absl::Status owed = environment_.store.Owe(release, environment_.owner);
      owed.Update(environment_.store.Sync());
      if (!owed.ok()) {
        // The note stays, so that the next instance sees to it.
        return log::Error("a hold of a call without a record was not released",
                          {{"call", record_.id}, {"error", owed.message()}});
      }
    }
  }
  environment_.store.ForgetHold(record_.id);
}

// What the ledger's answer has against sending; else takes over what it grants.
std::optional<CallTry::Refusal> CallTry::AgainstHold(const absl::StatusOr<Hold>& hold,
                                                     const Quote& quote, int64_t least) {
  if (!hold.ok()) {
    // The hold may exist although the answer was lost.
    const bool refused = absl::IsInvalidArgument(hold.status());
    return Refusal{refused ? hold.status() : LedgerUnavailable(hold.status()), "FAILED",
                   Proof::kNotSent};
  }
  if (hold->denial.has_value()) {
    const Denial& denial = *hold->denial;
    if (denial.cause != "HELD_BY_SIBLINGS") return Refusal{BudgetDenied(denial), "REFUSED", {}};
    // The time is when a hold expires at the latest; most end long before.
    const absl::Duration wait =
        denial.retry_time.has_value()
            ? std::min(*denial.retry_time - environment_.clock.Now(), kBusyRetryDefault)
            : kBusyRetryDefault;
    return Refusal{BudgetBusy(denial, std::max(wait, absl::Milliseconds(100))), "REFUSED", {}};
  }
  if (!hold->open) {
    return Refusal{OutcomeUnknown(record_.id, "its hold has ended before it began"), "FAILED", {}};
  }
  record_.charge_usd_nanos = hold->held.usd_nanos;
  output_tokens_ = OutputTokensGranted(quote, hold->held, input_tokens_, output_tokens_);
  if (output_tokens_ >= least) return std::nullopt;
  return Refusal{BudgetDenied({.cause = "LIMIT", .requested = least, .remaining = output_tokens_}),
                 "REFUSED", Proof::kNotSent};
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
  CountTry(record_, result, environment_.clock.Elapsed() - started_, first_text_after_);
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
                           .provider_request_id = result.request_id};
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

}  // namespace slipway::models
