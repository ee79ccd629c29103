#include "services/models/providers/cassette_provider.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/models/domain/wire_request.h"
#include "services/models/providers/delayed_reply.h"
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

class CassetteProvider::Answer final {
 public:
  Answer(CassetteProvider& provider, const ProviderCall& call, ProviderSink& sink)
      : provider_(provider), call_(call), sink_(sink), index_(provider.player_.Choose(call)) {}

  absl::Duration latency() const {
    if (!provider_.options_.real_time || !index_.has_value()) return absl::ZeroDuration();
    return provider_.player_.entry(*index_).latency;
  }

  void Play() {
    if (!index_.has_value()) {
      return sink_.OnEnd(RefusedByCassette("CASSETTE_NO_MATCH", provider_.player_.Missing(call_)));
    }
    const CassetteEntry& entry = provider_.player_.entry(*index_);
    const std::optional<TokenCounts> billed = BilledTokens(entry);
    if (billed.has_value() && billed->output > call_.output_tokens_max) {
      return sink_.OnEnd(RefusedByCassette(
          "CASSETTE_OUTPUT_LIMIT",
          absl::StrCat("the recorded reply has ", billed->output, " output tokens, and only ",
                       call_.output_tokens_max,
                       " were granted: raise output_tokens_max of the route, or the budget")));
    }
    if (!Book(entry)) return;
    const bool composed = entry.text_only && call_.wire != nullptr;
    const std::string reply = composed ? ComposedReply(call_, entry) : entry.reply;
    if (!reply.empty()) sink_.OnText(reply);
    ProviderResult played = entry.result;
    if (played.kind == ProviderResult::Kind::kComplete) {
      played.request_id = absl::StrCat("cassette-", call_.id);
    }
    sink_.OnEnd(std::move(played));
  }

 private:
  // Durable before the first byte of the reply.
  bool Book(const CassetteEntry& entry) {
    if (provider_.books_ == nullptr) return true;
    const absl::Status written = provider_.books_->AppendPlayed(
        {.call_id = call_.id,
         .model = call_.model,
         .tokens = BilledTokens(entry),
         .unknown = entry.result.kind == ProviderResult::Kind::kUnknown,
         .plan = call_.scopes.plan,
         .entry = static_cast<int64_t>(*index_)},
        provider_.clock_.Now());
    if (written.ok()) return true;
    sink_.OnEnd(CallLogFailed(written));
    return false;
  }

  CassetteProvider& provider_;
  const ProviderCall call_;
  ProviderSink& sink_;
  const std::optional<size_t> index_;
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
  const auto answer = std::make_shared<Answer>(*this, call, sink);
  return DelayedReply::Start(answer->latency(), clock_, pool_, [answer] { answer->Play(); });
}

Reconciliation CassetteProvider::Reconcile(const std::string& call_id) {
  if (books_ == nullptr) return {};
  return books_->Reconcile(call_id);
}

}  // namespace slipway::models
