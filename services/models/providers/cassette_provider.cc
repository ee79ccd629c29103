#include "services/models/providers/cassette_provider.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "services/models/domain/wire_request.h"
#include "services/models/providers/scripted_reply.h"

namespace slipway::models {
namespace {

// What was billed, as far as the recording tells.
std::optional<TokenCounts> BilledTokens(const CassetteEntry& entry) {
  if (entry.result.kind == ProviderResult::Kind::kFailed) return std::nullopt;
  return entry.result.tokens.has_value() ? entry.result.tokens : entry.billed;
}

ProviderResult RefusedByCassette(absl::string_view reason, std::string detail) {
  return {.kind = ProviderResult::Kind::kFailed,
          .failure = FailureClass::kRequest,
          .proof = Proof::kUpstreamErrorBeforeOutput,
          .reason = std::string(reason),
          .detail = std::move(detail)};
}

// A reply of which only the text was kept, in the dialect that was asked for.
std::string ComposedReply(const ProviderCall& call, const CassetteEntry& entry) {
  const ScriptRule rule;
  const ScriptedReply reply =
      ComposeScriptedReply(*call.wire, rule,
                           {.id = call.id,
                            .model = call.model,
                            .text = entry.reply,
                            .finish_reason = "stop",
                            .tokens = entry.result.tokens.value_or(TokenCounts())});
  std::string bytes;
  for (const std::string& piece : reply.pieces) bytes += piece;
  return bytes;
}

}  // namespace

// One answer. The state is shared with the job that plays it, so that ending is a flag under a
// lock.
class CassetteProvider::Exchange final : public ProviderExchange {
 public:
  Exchange(CassetteProvider& provider, const ProviderCall& call, ProviderSink& sink)
      : state_(std::make_shared<State>(provider, call, sink)) {}
  ~Exchange() override {
    timer_.reset();
    base::MutexLock lock(state_->mutex);
    state_->over = true;
  }

  void Begin() {
    const absl::Duration wait = state_->Wait();
    if (wait == absl::ZeroDuration()) return state_->Play();
    timer_ = state_->provider.clock_.RunAfter(wait, [state = state_] {
      const absl::Status queued = state->provider.pool_.TryRun([state] { state->Play(); });
      if (!queued.ok()) log::Error("a recorded reply was not played");
    });
  }

 private:
  struct State {
    State(CassetteProvider& provider, const ProviderCall& call, ProviderSink& sink)
        : provider(provider), call(call), sink(sink), index(provider.player_.Choose(call)) {}

    absl::Duration Wait() const {
      if (!provider.options_.real_time || !index.has_value()) return absl::ZeroDuration();
      return provider.player_.entry(*index).latency;
    }

    void Play() {
      base::MutexLock lock(mutex);
      if (over) return;
      over = true;
      if (!index.has_value()) {
        return sink.OnEnd(RefusedByCassette("CASSETTE_NO_MATCH", provider.player_.Missing(call)));
      }
      const CassetteEntry& entry = provider.player_.entry(*index);
      const std::optional<TokenCounts> billed = BilledTokens(entry);
      if (billed.has_value() && billed->output > call.output_tokens_max) {
        return sink.OnEnd(RefusedByCassette(
            "CASSETTE_OUTPUT_LIMIT",
            absl::StrCat("the recorded reply has ", billed->output, " output tokens, and only ",
                         call.output_tokens_max,
                         " were granted: raise output_tokens_max of the route, or the budget")));
      }
      if (!Book(entry)) return;
      const bool composed = entry.text_only && call.wire != nullptr;
      const std::string reply = composed ? ComposedReply(call, entry) : entry.reply;
      if (!reply.empty()) sink.OnText(reply);
      ProviderResult played = entry.result;
      if (played.kind == ProviderResult::Kind::kComplete) {
        played.request_id = absl::StrCat("cassette-", call.id);
      }
      sink.OnEnd(std::move(played));
    }

    // Durable before the first byte of the reply.
    bool Book(const CassetteEntry& entry) {
      if (provider.books_ == nullptr) return true;
      const absl::Status written = provider.books_->AppendPlayed(
          {.call_id = call.id,
           .model = call.model,
           .tokens = BilledTokens(entry),
           .unknown = entry.result.kind == ProviderResult::Kind::kUnknown,
           .plan = call.scopes.plan,
           .entry = static_cast<int64_t>(*index)},
          provider.clock_.Now());
      if (written.ok()) return true;
      log::Error("the scripted provider's call log failed", {{"error", written.message()}});
      sink.OnEnd({.kind = ProviderResult::Kind::kFailed,
                  .failure = FailureClass::kTransient,
                  .proof = Proof::kUpstreamErrorBeforeOutput,
                  .reason = "CALL_LOG_FAILED",
                  .detail = "the call log cannot be written"});
      return false;
    }

    CassetteProvider& provider;
    const ProviderCall call;
    ProviderSink& sink;
    const std::optional<size_t> index;
    base::Mutex mutex;
    bool over ABSL_GUARDED_BY(mutex) = false;  // Played or abandoned.
  };

  const std::shared_ptr<State> state_;
  std::unique_ptr<base::Timer> timer_;
};

absl::StatusOr<std::unique_ptr<CassetteProvider>> CassetteProvider::Open(Options options,
                                                                         base::Clock& clock) {
  ASSIGN_OR_RETURN(Cassette cassette, Cassette::Load(options.cassette));
  std::unique_ptr<CallLog> books;
  std::vector<CallLog::PlayedCall> played;
  if (!options.call_log.empty()) {
    ASSIGN_OR_RETURN(books, CallLog::Open(options.call_log));
    ASSIGN_OR_RETURN(played, books->Played());
  }
  std::unique_ptr<CassetteProvider> provider(
      new CassetteProvider(std::move(options), std::move(cassette), std::move(books), clock));
  for (const CallLog::PlayedCall& call : played) {
    provider->player_.Restore(call.plan, call.call_id, static_cast<size_t>(call.entry));
  }
  return provider;
}

std::unique_ptr<ProviderExchange> CassetteProvider::Start(const ProviderCall& call,
                                                          ProviderSink& sink) {
  auto exchange = std::make_unique<Exchange>(*this, call, sink);
  exchange->Begin();
  return exchange;
}

Reconciliation CassetteProvider::Reconcile(const std::string& call_id) {
  if (books_ == nullptr) return {};
  return books_->Reconcile(call_id);
}

}  // namespace slipway::models
