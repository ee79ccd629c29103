#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/task.h"
#include "services/models/domain/call.h"
#include "services/models/domain/call_try.h"
#include "services/models/domain/cancellation.h"
#include "services/models/domain/provider.h"
#include "services/models/domain/reply_sink.h"
#include "services/models/domain/route_table.h"
#include "services/models/domain/running_calls.h"

namespace slipway::models {

using Providers = std::map<std::string, std::unique_ptr<Provider>>;

// Makes calls: the one path to a provider, whichever entrance a request came through. Chooses the
// route, tries again or falls back within limits, and answers repeats from the record.
//
// Thread-safe. A call has a thread while it asks the store, and none while it waits for the ledger,
// while its reply is under way or while it waits to try again.
class Caller final {
 public:
  Caller(CallEnvironment environment, const RouteTable& routes, const Providers& providers,
         RunningCalls& running)
      : environment_(std::move(environment)),
        routes_(routes),
        providers_(providers),
        running_(running) {}

  // A place among the calls under way, to be held until a call's end. Fails with CallsExhausted.
  absl::StatusOr<RunningCalls::Place> TakePlace() { return running_.TakePlace(); }

  // Errors: those of CheckCall; RoleUnknown, RouteMissing, ApprovalRequired, PromptTooLarge,
  // BudgetDenied, BudgetBusy, GateClosed, ProviderUnavailable, ProviderRefused, LedgerUnavailable,
  // OutcomeUnknown, CallIdReused, CallCancelled, KeyInvalid. Blocks only if it `may_block`.
  // `done` is called once, on some thread, when the call has ended. `sink` and `cancellation` must
  // outlive that.
  using Done = absl::AnyInvocable<void(absl::StatusOr<CallOutcome>) &&>;
  void Start(CallSpec spec, ReplySink& sink, Cancellation& cancellation, bool may_block, Done done);

  // How many input tokens a request has, as the provider of the first open route counts them, or
  // by a rule of thumb where it does not count. Errors: RoleUnknown, RouteMissing.
  absl::StatusOr<int64_t> CountInput(const std::string& role, const WireRequest& request);

  // What stands against each route of a role now, for a call in `scopes` of that many tokens.
  struct Verdict {
    Route route;
    absl::Status admissible;
  };
  absl::StatusOr<std::vector<Verdict>> Explain(const std::string& role, const Scopes& scopes,
                                               int64_t input_tokens) const;

  // The price of a call at its worst on the first route of its role that is open.
  struct Estimate {
    int64_t cost_usd_nanos = 0;
    Route route;
  };
  absl::StatusOr<Estimate> EstimateCall(const std::string& role, int64_t input_tokens,
                                        int64_t output_tokens);

 private:
  // The answer that the record gives; absent when the call must be made.
  std::optional<absl::StatusOr<CallOutcome>> FromRecord(const CallSpec& spec,
                                                        const std::vector<CallRecord>& tries,
                                                        ReplySink& sink) const;
  // Why `route` cannot serve `spec` now; OK when it can, with the approval that lets it, if it
  // needs one.
  absl::Status Admissible(const CallSpec& spec, const Route& route, std::string& approval) const;
  // `spec` with the provider's own count of its input in place of a bound that the route does not
  // allow; absent where that is not needed or cannot be had.
  std::optional<CallSpec> Counted(const CallSpec& spec, const Route& route) const;
  class PauseEnd;
  using Outcome = absl::StatusOr<CallOutcome>;
  base::Task<Outcome> Run(CallSpec spec, ReplySink& sink, Cancellation& cancellation,
                          bool may_block);
  base::Task<Outcome> TryRoutes(CallSpec& spec, const std::vector<Route>& routes, int next_try,
                                ReplySink& sink, Cancellation& cancellation, CallThread& thread);
  // Waits before another try on the same route; false when the call was cancelled meanwhile.
  base::Task<bool> Pause(int tries, Cancellation& cancellation);
  // Whether Counted or Admissible may ask somebody.
  bool MayAsk(const CallSpec& spec, const Route& route) const;

  CallEnvironment environment_;
  const RouteTable& routes_;
  const Providers& providers_;
  RunningCalls& running_;
};

}  // namespace slipway::models
