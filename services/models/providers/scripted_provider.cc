#include "services/models/providers/scripted_provider.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/log/log.h"
#include "services/models/providers/http_failure.h"
#include "services/models/providers/reply_reader.h"
#include "services/models/providers/scripted_reply.h"

namespace slipway::models {
namespace {

constexpr size_t kChunkBytesDefault = 256;
constexpr int64_t kBytesPerToken = 4;

int64_t QuarterOf(size_t bytes) {
  return (static_cast<int64_t>(bytes) + kBytesPerToken - 1) / kBytesPerToken;
}

// The longest prefix of `text` of at most `size` bytes that ends between characters, but at least
// one character unless `size` is 0.
absl::string_view Prefix(absl::string_view text, size_t size) {
  if (size >= text.size()) return text;
  size_t end = 0;
  while (end < text.size()) {
    const size_t next = end + std::max<size_t>(base::Utf8SequenceLength(text.substr(end)), 1);
    if (next > size && (end > 0 || size == 0)) break;
    end = next;
  }
  return text.substr(0, end);
}

std::string PromptOf(const ProviderCall& call) {
  if (call.wire != nullptr) return PromptOfWire(*call.wire);
  std::string prompt;
  for (const Message& message : call.messages) absl::StrAppend(&prompt, message.text, "\n");
  return prompt;
}

}  // namespace

// One answer. The state is shared with the job that plays it, so that ending is a flag under a
// lock.
class ScriptedProvider::Exchange final : public ProviderExchange {
 public:
  Exchange(ScriptedProvider& provider, const ProviderCall& call, ProviderSink& sink)
      : state_(std::make_shared<State>(provider, call, sink)) {}
  ~Exchange() override {
    timer_.reset();
    base::MutexLock lock(state_->mutex);
    state_->over = true;
  }

  void Begin() {
    const ScriptRule* rule = state_->rule;
    if (rule == nullptr || rule->latency == absl::ZeroDuration()) return state_->Play();
    timer_ = state_->provider.clock_.RunAfter(rule->latency, [state = state_] {
      const absl::Status queued = state->provider.pool_.TryRun([state] { state->Play(); });
      if (!queued.ok()) log::Error("a scripted reply was not played");
    });
  }

 private:
  struct State {
    State(ScriptedProvider& provider, const ProviderCall& call, ProviderSink& sink)
        : provider(provider), call(call), sink(sink), prompt(PromptOf(call)) {
      rule = provider.script_.Find(call, prompt);
    }

    void Play() {
      base::MutexLock lock(mutex);
      if (over) return;
      over = true;
      if (rule == nullptr) return sink.OnEnd(NoMatch());
      if (call.wire != nullptr && Refuses()) {
        return PlayWire(ComposeScriptedRefusal(call.wire->dialect, *rule->fault));
      }
      if (rule->fault.has_value() && rule->fault->kind == ScriptFault::Kind::kHttpError) {
        return sink.OnEnd(ClassifyFailure(
            {.status = rule->fault->status, .retry_after = rule->fault->retry_after}));
      }
      if (rule->fault.has_value() && rule->fault->kind == ScriptFault::Kind::kRateLimit) {
        const absl::Duration wait = rule->fault->retry_after.value_or(absl::Seconds(1));
        return sink.OnEnd(
            ClassifyFailure({.status = 429, .code = "rate_limit_exceeded", .retry_after = wait}));
      }
      Reply();
    }

    void Reply() {
      absl::string_view text = rule->reply;
      TokenCounts tokens = rule->further_tokens;
      tokens.input = rule->input_tokens.value_or(QuarterOf(prompt.size()));
      tokens.output = rule->output_tokens.value_or(QuarterOf(text.size()));
      std::string finish_reason = rule->tool_calls.empty() ? "stop" : "tool_calls";
      if (tokens.output > call.output_tokens_max) {
        tokens.output = call.output_tokens_max;
        text = Prefix(text, static_cast<size_t>(call.output_tokens_max * kBytesPerToken));
        finish_reason = "length";
      }
      if (provider.books_ != nullptr) {
        const absl::Status written =
            provider.books_->Append(call.id, call.model, tokens, provider.clock_.Now());
        if (!written.ok()) return sink.OnEnd(BooksFailed(written));
      }
      if (call.wire != nullptr) {
        return PlayWire(ComposeScriptedReply(*call.wire, *rule,
                                             {.id = call.id,
                                              .model = call.model,
                                              .text = std::string(text),
                                              .finish_reason = finish_reason,
                                              .tokens = tokens}));
      }
      const bool breaks = rule->fault.has_value() &&
                          rule->fault->kind != ScriptFault::Kind::kNoUsage &&
                          rule->fault->kind != ScriptFault::Kind::kUsageTwice;
      if (breaks) {
        Speak(text.substr(0, Prefix(text, rule->fault->after_bytes).size()));
        if (rule->fault->kind == ScriptFault::Kind::kHang) return;
        return sink.OnEnd({.kind = ProviderResult::Kind::kUnknown,
                           .reason = "CONNECTION_BROKEN",
                           .detail = "the script drops the reply"});
      }
      Speak(text);
      sink.OnEnd({.kind = ProviderResult::Kind::kComplete,
                  .tokens = tokens,
                  .finish_reason = finish_reason,
                  .request_id = absl::StrCat("script-", call.id)});
    }

    bool Refuses() const {
      return rule->fault.has_value() && (rule->fault->kind == ScriptFault::Kind::kHttpError ||
                                         rule->fault->kind == ScriptFault::Kind::kRateLimit);
    }

    // The same reader as for an endpoint that exists.
    void PlayWire(const ScriptedReply& reply) {
      ReplyReader reader({.dialect = call.wire->dialect,
                          .tell = ReplyReader::Tell::kBytes,
                          .stream = call.wire->stream,
                          .drop_usage = !call.wire->usage_asked},
                         sink, provider.clock_);
      reader.OnHeaders(reply.status, reply.headers);
      for (const std::string& piece : reply.pieces) reader.TakeBytes(piece);
      const bool hangs = rule->fault.has_value() && rule->fault->kind == ScriptFault::Kind::kHang;
      if (hangs) return;
      http::ClientResult done = {.outcome = http::Outcome::kComplete, .http_status = reply.status};
      if (!reply.complete) {
        done.outcome = http::Outcome::kIncomplete;
        done.status = base::Error(absl::StatusCode::kUnavailable, "CONNECTION_BROKEN",
                                  "the script drops the reply");
      }
      reader.OnDone(done);
    }

    void Speak(absl::string_view text) {
      const size_t size = rule->chunk_bytes > 0 ? rule->chunk_bytes : kChunkBytesDefault;
      while (!text.empty()) {
        const absl::string_view chunk = Prefix(text, size);
        sink.OnText(chunk);
        text.remove_prefix(chunk.size());
      }
    }

    ProviderResult NoMatch() const {
      return {.kind = ProviderResult::Kind::kFailed,
              .failure = FailureClass::kRequest,
              .proof = Proof::kUpstreamErrorBeforeOutput,
              .reason = "SCRIPT_NO_MATCH",
              .detail = absl::StrCat("no rule for intent \"", call.intent, "\", task \"",
                                     call.scopes.task, "\", role \"", call.role,
                                     "\"; add one or a default_reply")};
    }

    static ProviderResult BooksFailed(const absl::Status& status) {
      log::Error("the scripted provider's call log failed", {{"error", status.message()}});
      return {.kind = ProviderResult::Kind::kFailed,
              .failure = FailureClass::kTransient,
              .proof = Proof::kUpstreamErrorBeforeOutput,
              .reason = "CALL_LOG_FAILED",
              .detail = "the call log cannot be written"};
    }

    ScriptedProvider& provider;
    const ProviderCall call;
    ProviderSink& sink;
    const std::string prompt;
    const ScriptRule* rule = nullptr;
    base::Mutex mutex;
    bool over ABSL_GUARDED_BY(mutex) = false;  // Played or abandoned.
  };

  const std::shared_ptr<State> state_;
  std::unique_ptr<base::Timer> timer_;
};

absl::StatusOr<std::unique_ptr<ScriptedProvider>> ScriptedProvider::Open(
    std::string name, const std::string& script, const std::string& call_log, base::Clock& clock) {
  ASSIGN_OR_RETURN(Script loaded, Script::Load(script));
  std::unique_ptr<CallLog> books;
  if (!call_log.empty()) {
    ASSIGN_OR_RETURN(books, CallLog::Open(call_log));
  }
  return std::unique_ptr<ScriptedProvider>(
      new ScriptedProvider(std::move(name), std::move(loaded), std::move(books), clock));
}

std::unique_ptr<ProviderExchange> ScriptedProvider::Start(const ProviderCall& call,
                                                          ProviderSink& sink) {
  auto exchange = std::make_unique<Exchange>(*this, call, sink);
  exchange->Begin();
  return exchange;
}

Reconciliation ScriptedProvider::Reconcile(const std::string& call_id) {
  if (books_ == nullptr) return {};
  return books_->Reconcile(call_id);
}

}  // namespace slipway::models
