#include "services/models/domain/caller.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "services/models/domain/call_check.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/estimate.h"

namespace slipway::models {
namespace {

// Of the reasons why no route served, the one that helps the caller most: the soonest retry.
const absl::Status& MostHelpful(const absl::Status& a, const absl::Status& b) {
  const auto wait = [](const absl::Status& status) {
    const std::optional<base::ErrorDetail> detail = base::DetailOf(status);
    return detail.has_value() ? detail->retry_after.value_or(absl::InfiniteDuration())
                              : absl::InfiniteDuration();
  };
  return wait(b) < wait(a) ? b : a;
}

std::string RouteLine(const Route& route, absl::string_view verdict) {
  return absl::StrCat(route.role, "[", route.position, "] ", route.provider, "/", route.model, ": ",
                      verdict);
}

// Notes why a route does not serve.
void PassOver(const Route& route, const absl::Status& why, std::vector<std::string>& reasons,
              absl::Status& error) {
  reasons.push_back(RouteLine(route, absl::StrCat("passed over: ", why.message())));
  error = error.ok() ? why : MostHelpful(error, why);
}

std::string TryId(const std::string& call_id, int number) {
  return number == 1 ? call_id : absl::StrCat(call_id, "~", number);
}

}  // namespace

// Ended by a timer or a cancellation, whichever is first.
class Caller::PauseEnd final {
 public:
  void End() {
    absl::AnyInvocable<void(bool)> ended;
    {
      base::MutexLock lock(mutex_);
      over_ = true;
      std::swap(ended, on_end_);
    }
    if (ended) ended(true);
  }

  void OnEnd(absl::AnyInvocable<void(bool)> ended) {
    {
      base::MutexLock lock(mutex_);
      if (!over_) {
        on_end_ = std::move(ended);
        return;
      }
    }
    ended(true);
  }

 private:
  base::Mutex mutex_;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  absl::AnyInvocable<void(bool)> on_end_ ABSL_GUARDED_BY(mutex_);
};

void Caller::Start(CallSpec spec, ReplySink& sink, Cancellation& cancellation, bool may_block,
                   Done done) {
  base::StartTask<Outcome>(Run(std::move(spec), sink, cancellation, may_block), std::move(done));
}

base::Task<Caller::Outcome> Caller::Run(CallSpec spec, ReplySink& sink, Cancellation& cancellation,
                                        bool may_block) {
  CallThread thread(environment_.beginnings, may_block);
  const absl::Status checked = CheckCall(spec);
  if (!checked.ok()) co_return checked;
  const absl::StatusOr<std::vector<Route>> routes = routes_.For(spec.role);
  if (!routes.ok()) co_return routes.status();
  RunningCalls::Entry running(running_, spec.call_id, spec.key_hash, cancellation);
  int next_try = 1;
  if (spec.wire == nullptr) {
    base::Callback<bool> alone(
        [&running](base::Callback<bool>::Done done) { running.OnAlone(std::move(done)); });
    const bool at_once = co_await alone;
    if (!at_once) thread.MovedTo(/*may_block=*/false);
    co_await thread.MayBlock();
    const absl::StatusOr<std::vector<CallRecord>> tries =
        environment_.store.FindTries(spec.call_id);
    if (!tries.ok()) co_return tries.status();
    std::optional<Outcome> recorded = FromRecord(spec, *tries, sink);
    if (recorded.has_value()) co_return *std::move(recorded);
    next_try = static_cast<int>(tries->size()) + 1;
  }
  if (!spec.key_hash.empty()) {
    base::Callback<bool> settled([&](base::Callback<bool>::Done done) {
      environment_.unsettled.OnNone(spec.scopes.attempt, std::move(done));
    });
    const bool at_once = co_await settled;
    if (!at_once) {
      thread.MovedTo(/*may_block=*/false);  // Who settled has more to do.
      co_await thread.MayBlock();
    }
  }
  Outcome outcome = co_await TryRoutes(spec, *routes, next_try, sink, cancellation, thread);
  co_return outcome;
}

std::optional<absl::StatusOr<CallOutcome>> Caller::FromRecord(const CallSpec& spec,
                                                              const std::vector<CallRecord>& tries,
                                                              ReplySink& sink) const {
  if (tries.empty()) return std::nullopt;
  const CallRecord& last = tries.back();
  if (last.fingerprint != Fingerprint(spec)) return CallIdReused(spec.call_id);
  if (last.outcome == "OK") {
    if (last.reply.empty() && last.tokens.output > 0) {
      return OutcomeUnknown(spec.call_id, "its reply is not kept any more");
    }
    if (!last.reply.empty()) sink.OnText(last.reply);
    return CallOutcome{.call = last.id,
                       .provider = last.provider,
                       .model = last.model,
                       .service_tier = last.service_tier,
                       .tokens = last.tokens,
                       .cost_usd_nanos = last.charge_usd_nanos,
                       .finish_reason = last.finish_reason};
  }
  // What nothing was paid for may be tried again: the budget or the provider may have changed.
  const bool charged = last.outcome == "INCOMPLETE" || last.outcome == "RUNNING" ||
                       (last.outcome == "CANCELLED" && last.charge_usd_nanos > 0);
  if (charged) return OutcomeUnknown(spec.call_id, last.reason);
  if (absl::IsInvalidArgument(last.error)) return last.error;
  return std::nullopt;
}

absl::Status Caller::Admissible(const CallSpec& spec, const Route& route,
                                std::string& approval) const {
  if (route.manual_approval) {
    ASSIGN_OR_RETURN(const std::optional<std::string> found,
                     environment_.store.FindApproval(spec.scopes, spec.role));
    if (!found.has_value()) return ApprovalRequired(spec.role);
    approval = *found;
  }
  const std::optional<Gate> gate = environment_.gates.ClosedFor(route);
  if (gate.has_value()) return GateError(*gate, environment_.clock.Now());
  if (spec.wire != nullptr && !providers_.at(route.provider)->Takes(spec.wire->dialect)) {
    return DialectUnsupported(route.provider, DialectName(spec.wire->dialect));
  }
  if (route.context_characters_max > 0) {
    const int64_t characters = ContextCharacters(spec);
    if (characters > route.context_characters_max) {
      return ContextTooLong(spec.role, characters, route.context_characters_max);
    }
  }
  const int64_t bound = InputTokensBound(spec);
  if (bound > route.input_tokens_max) {
    return PromptTooLarge(spec.role, bound, route.input_tokens_max);
  }
  return absl::OkStatus();
}

bool Caller::MayAsk(const CallSpec& spec, const Route& route) const {
  return route.manual_approval ||
         (spec.wire != nullptr && spec.wire->input_tokens_bound > route.input_tokens_max);
}

std::optional<CallSpec> Caller::Counted(const CallSpec& spec, const Route& route) const {
  if (spec.wire == nullptr || spec.wire->input_tokens_bound <= route.input_tokens_max) {
    return std::nullopt;
  }
  Provider& provider = *providers_.at(route.provider);
  if (!provider.Takes(spec.wire->dialect)) return std::nullopt;
  const std::optional<int64_t> counted = provider.CountInput(route.model, *spec.wire);
  if (!counted.has_value()) return std::nullopt;
  WireRequest request = *spec.wire;
  // The count is called an estimate by those who give it.
  request.input_tokens_bound =
      std::min(request.input_tokens_bound, *counted + *counted / 16 + kTokensForTools);
  request.bound_is_counted = true;
  CallSpec result = spec;
  result.wire = std::make_shared<const WireRequest>(std::move(request));
  return result;
}

absl::StatusOr<std::vector<Caller::Verdict>> Caller::Explain(const std::string& role,
                                                             const Scopes& scopes,
                                                             int64_t input_tokens) const {
  if (input_tokens < 0) return LimitInvalid();
  ASSIGN_OR_RETURN(const std::vector<Route> routes, routes_.For(role));
  const CallSpec spec = {.role = role, .scopes = scopes};
  std::vector<Verdict> verdicts;
  for (const Route& route : routes) {
    std::string approval;
    absl::Status admissible = Admissible(spec, route, approval);
    if (admissible.ok() && input_tokens > route.input_tokens_max) {
      admissible = PromptTooLarge(role, input_tokens, route.input_tokens_max);
    }
    verdicts.push_back({route, std::move(admissible)});
  }
  return verdicts;
}

base::Task<Caller::Outcome> Caller::TryRoutes(CallSpec& spec, const std::vector<Route>& routes,
                                              int next_try, ReplySink& sink,
                                              Cancellation& cancellation, CallThread& thread) {
  // What is passed on has a fresh id, so that nobody compares it.
  const std::string fingerprint = spec.wire == nullptr ? Fingerprint(spec) : "";
  std::vector<std::string> reasons;
  for (const std::string& reason : spec.role_reasons) {
    reasons.push_back(absl::StrCat("role ", spec.role, ": ", reason));
  }
  absl::Status error;
  int left = kTriesMax;
  for (const Route& route : routes) {
    if (MayAsk(spec, route)) co_await thread.MayBlock();
    std::optional<CallSpec> counted = Counted(spec, route);
    CallSpec& asked = counted.has_value() ? *counted : spec;
    std::string approval;
    const absl::Status admissible = Admissible(asked, route, approval);
    if (!admissible.ok()) {
      PassOver(route, admissible, reasons, error);
      continue;
    }
    TryResult result;
    for (int same = 1; left > 0 && same <= kTriesPerRoute; ++same, --left) {
      CallRecord record = {.id = TryId(spec.call_id, next_try),
                           .call_id = spec.call_id,
                           .try_number = next_try,
                           .fingerprint = fingerprint,
                           .route_reasons = reasons,
                           .approval = approval};
      record.route_reasons.push_back(
          RouteLine(route, same > 1           ? "tried again"
                           : approval.empty() ? "first that can serve"
                                              : "first that can serve, approved by a person"));
      ++next_try;
      CallTry call_try(environment_, asked, route, *providers_.at(route.provider),
                       std::move(record));
      result = co_await call_try.Run(sink, cancellation, thread);
      if (result.next == TryResult::Next::kDone) co_return std::move(result.outcome);
      if (result.next == TryResult::Next::kNextRoute) break;
      if (same == kTriesPerRoute) continue;
      const bool go_on = co_await Pause(same, cancellation);
      thread.MovedTo(/*may_block=*/true);
      if (!go_on) co_return CallCancelled(cancellation.why());
    }
    PassOver(route, result.outcome.status(), reasons, error);
    if (left <= 0) break;
  }
  co_return error;
}

base::Task<bool> Caller::Pause(int tries, Cancellation& cancellation) {
  const auto pause = std::make_shared<PauseEnd>();
  std::unique_ptr<base::Timer> timer =
      environment_.clock.RunAfter(kRetryDelay * tries, [pause] { pause->End(); });
  cancellation.Listen([pause] { pause->End(); });
  base::Callback<bool> over(
      [&pause](base::Callback<bool>::Done done) { pause->OnEnd(std::move(done)); });
  co_await over;
  co_await base::GoOn(environment_.beginnings);
  cancellation.Listen(nullptr);
  timer.reset();
  co_return !cancellation.cancelled();
}

absl::StatusOr<int64_t> Caller::CountInput(const std::string& role, const WireRequest& request) {
  ASSIGN_OR_RETURN(const std::vector<Route> routes, routes_.For(role));
  for (const Route& route : routes) {
    Provider& provider = *providers_.at(route.provider);
    if (!provider.Takes(request.dialect)) continue;
    if (environment_.gates.ClosedFor(route).has_value()) continue;
    const std::optional<int64_t> counted = provider.CountInput(route.model, request);
    if (counted.has_value()) return *counted;
    break;
  }
  constexpr int64_t kBytesPerToken = 4;  // Of English text and code, by most tokenisers.
  return (static_cast<int64_t>(request.body.size()) + kBytesPerToken - 1) / kBytesPerToken;
}

absl::StatusOr<Caller::Estimate> Caller::EstimateCall(const std::string& role, int64_t input_tokens,
                                                      int64_t output_tokens) {
  if (input_tokens < 0 || output_tokens < 0) return LimitInvalid();
  ASSIGN_OR_RETURN(const std::vector<Route> routes, routes_.For(role));
  const auto open = std::find_if(routes.begin(), routes.end(), [&](const Route& route) {
    return !environment_.gates.ClosedFor(route).has_value();
  });
  Estimate estimate = {.route = open == routes.end() ? routes.front() : *open};
  if (providers_.at(estimate.route.provider)->free()) return estimate;
  ASSIGN_OR_RETURN(const Quote quote,
                   environment_.ledger.QuoteCall(
                       estimate.route.provider, estimate.route.model, estimate.route.service_tier,
                       input_tokens > 0 ? input_tokens : estimate.route.input_tokens_max,
                       output_tokens > 0 ? output_tokens : estimate.route.output_tokens_max));
  estimate.cost_usd_nanos = quote.cost_usd_nanos;
  return estimate;
}

}  // namespace slipway::models
