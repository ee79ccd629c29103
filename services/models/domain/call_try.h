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
#include "services/models/domain/call_thread.h"
#include "services/models/domain/cancellation.h"
#include "services/models/domain/gate_keeper.h"
#include "services/models/domain/hold_and_record.h"
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
// It blocks on threads of `beginnings`, ends on one of `endings`, and has none while it waits for
// the ledger or while the reply is under way.
class CallTry final {
 public:
  // `record` names the call, the try and the route's reasons; the rest is filled in.
  // Once a reply has begun there is no other try: the body that `spec` passes on is dropped then.
  CallTry(CallEnvironment& environment, CallSpec& spec, const Route& route, Provider& provider,
          CallRecord record);

  // `thread` says whether it may block at first, and on the thread where it ends.
  base::Task<TryResult> Run(ReplySink& sink, Cancellation& cancellation, CallThread& thread);

 private:
  // Why nothing is sent, how the record ends, and what the ledger is told, if anything.
  struct Refusal {
    absl::Status error;
    const char* outcome = "";
    std::optional<Proof> released;
  };

  // What stands against sending; absent when the hold is taken and the try recorded.
  base::Task<std::optional<TryResult>> Begin(Cancellation& cancellation, CallThread& thread);
  absl::StatusOr<Quote> AskQuote();
  base::Task<absl::Status> Admit(const Quote& quote, CallThread& thread);
  bool RecordsFirst() const;
  absl::StatusOr<int64_t> Record(int64_t least_usd);
  RecordJob MakeRecordJob() const;
  void GiveBackUnrecorded(const absl::StatusOr<Hold>& hold);
  std::optional<Refusal> AgainstHold(const absl::StatusOr<Hold>& hold, const Quote& quote,
                                     int64_t least);
  absl::StatusOr<int64_t> AdmitKey(const KeyUse& use, int64_t minimum) const;
  TryResult Refuse(absl::Status error, const char* outcome, std::optional<Proof> released);
  base::Task<ProviderResult> Receive(ReplySink& sink, Cancellation& cancellation);
  void AskProvidersBooks(ProviderResult& result);
  TryResult Finish(ProviderResult result, const Cancellation& cancellation);
  TryResult Judge(const ProviderResult& result);
  void CloseGate(const ProviderResult& result);
  Settlement SettlementOf(const ProviderResult& result) const;
  absl::Status End(const std::optional<Settlement>& owed);
  std::optional<InputSample> SampleOf(const ProviderResult& result) const;
  absl::Status KeepEnd(bool still_owed);

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
