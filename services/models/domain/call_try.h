#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/executor.h"
#include "lib/base/task.h"
#include "services/models/domain/calibration.h"
#include "services/models/domain/call.h"
#include "services/models/domain/cancellation.h"
#include "services/models/domain/gate_keeper.h"
#include "services/models/domain/ledger.h"
#include "services/models/domain/provider.h"
#include "services/models/domain/reply_sink.h"
#include "services/models/domain/route.h"
#include "services/models/domain/settler.h"
#include "services/models/domain/store.h"
#include "services/models/domain/unsettled_answers.h"

namespace slipway::models {

// What every try needs.
struct CallEnvironment {
  Store& store;
  Ledger& ledger;
  GateKeeper& gates;
  Settler& settler;
  UnsettledAnswers& unsettled;
  Calibration& calibration;
  base::Clock& clock;
  // Calls block these while they ask the store or the ledger, and not while a reply is under way.
  // Apart, so that calls that cannot begin do not keep others from ending.
  base::Executor& beginnings;
  base::Executor& endings;
  std::string owner;  // This instance.
};

struct TryResult {
  enum class Next { kDone, kSameRoute, kNextRoute };
  Next next = Next::kDone;
  absl::StatusOr<CallOutcome> outcome = absl::UnknownError("not run");
};

// One try of a call on one route: bound, hold, record, send, stream, settle. Whatever happens after
// the hold is taken, the ledger is told how it ended, by this process or the next. Used once.
//
// It begins on a thread of `beginnings` and ends on one of `endings`; in between, while the reply
// is under way, it has none.
class CallTry final {
 public:
  // `record` names the call, the try and the route's reasons; the rest is filled in.
  // Once a reply has begun there is no other try: the body that `spec` passes on is dropped then.
  CallTry(CallEnvironment& environment, CallSpec& spec, const Route& route, Provider& provider,
          CallRecord record);

  base::Task<TryResult> Run(ReplySink& sink, Cancellation& cancellation);

 private:
  // What stands against sending; absent when the hold is taken.
  std::optional<TryResult> Begin(Cancellation& cancellation);
  absl::StatusOr<Quote> GetQuote();
  absl::Status Admit(const Quote& quote);
  absl::StatusOr<int64_t> AdmitKey(const KeyUse& use, int64_t minimum) const;
  TryResult Refuse(absl::Status error, const char* outcome, std::optional<Proof> released);
  std::optional<TryResult> MayStillSend(Cancellation& cancellation);
  base::Task<ProviderResult> Receive(ReplySink& sink, Cancellation& cancellation);
  void AskProvidersBooks(ProviderResult& result);
  TryResult Finish(ProviderResult result, const Cancellation& cancellation);
  TryResult Judge(const ProviderResult& result);
  void CloseGate(const ProviderResult& result);
  Settlement SettlementOf(const ProviderResult& result) const;
  absl::Status End(const std::optional<Settlement>& owed);
  std::optional<InputSample> SampleOf(const ProviderResult& result) const;
  absl::Status KeepEnd(bool still_owed);
  void Count(const ProviderResult& result) const;

  CallEnvironment& environment_;
  CallSpec& spec_;
  const Route& route_;
  Provider& provider_;
  CallRecord record_;
  const std::string content_;
  int64_t input_tokens_ = 0;   // That are held for.
  int64_t output_tokens_ = 0;  // Asked for, then granted.
  bool spoke_ = false;         // Something of the reply was passed on.
  std::optional<UnsettledAnswers::Entry> unsettled_;
  std::optional<absl::Duration> first_text_after_;
  absl::Duration started_;
};

}  // namespace slipway::models
