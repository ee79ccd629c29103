#include "services/models/providers/scripted_provider.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/models/providers/delayed_reply.h"
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

class ScriptedProvider::Answer final {
 public:
  Answer(ScriptedProvider& provider, const ProviderCall& call, ProviderSink& sink)
      : provider_(provider),
        call_(call),
        sink_(sink),
        prompt_(PromptOf(call)),
        rule_(provider.script_.Find(call, prompt_)) {}

  absl::Duration latency() const {
    return rule_ == nullptr ? absl::ZeroDuration() : rule_->latency;
  }

  void Play() {
    if (rule_ == nullptr) return sink_.OnEnd(NoMatch());
    if (call_.wire != nullptr && Refuses()) {
      return PlayWire(ComposeScriptedRefusal(call_.wire->dialect, *rule_->fault));
    }
    if (rule_->fault.has_value() && rule_->fault->kind == ScriptFault::Kind::kHttpError) {
      return sink_.OnEnd(ClassifyFailure(
          {.status = rule_->fault->status, .retry_after = rule_->fault->retry_after}));
    }
    if (rule_->fault.has_value() && rule_->fault->kind == ScriptFault::Kind::kRateLimit) {
      const absl::Duration wait = rule_->fault->retry_after.value_or(absl::Seconds(1));
      return sink_.OnEnd(
          ClassifyFailure({.status = 429, .code = "rate_limit_exceeded", .retry_after = wait}));
    }
    Reply();
  }

 private:
  void Reply() {
    absl::string_view text = rule_->reply;
    TokenCounts tokens = rule_->further_tokens;
    tokens.input = rule_->input_tokens.value_or(QuarterOf(prompt_.size()));
    tokens.output = rule_->output_tokens.value_or(QuarterOf(text.size()));
    std::string finish_reason = rule_->tool_calls.empty() ? "stop" : "tool_calls";
    if (tokens.output > call_.output_tokens_max) {
      tokens.output = call_.output_tokens_max;
      text = Prefix(text, static_cast<size_t>(call_.output_tokens_max * kBytesPerToken));
      finish_reason = "length";
    }
    if (provider_.books_ != nullptr) {
      const absl::Status written =
          provider_.books_->Append(call_.id, call_.model, tokens, provider_.clock_.Now());
      if (!written.ok()) return sink_.OnEnd(CallLogFailed(written));
    }
    if (call_.wire != nullptr) {
      return PlayWire(ComposeScriptedReply(*call_.wire, *rule_,
                                           {.id = call_.id,
                                            .model = call_.model,
                                            .text = std::string(text),
                                            .finish_reason = finish_reason,
                                            .tokens = tokens}));
    }
    const bool breaks = rule_->fault.has_value() &&
                        rule_->fault->kind != ScriptFault::Kind::kNoUsage &&
                        rule_->fault->kind != ScriptFault::Kind::kUsageTwice;
    if (breaks) {
      Speak(text.substr(0, Prefix(text, rule_->fault->after_bytes).size()));
      if (rule_->fault->kind == ScriptFault::Kind::kHang) return;
      return sink_.OnEnd({.kind = ProviderResult::Kind::kUnknown,
                          .reason = "CONNECTION_BROKEN",
                          .detail = "the script drops the reply"});
    }
    Speak(text);
    sink_.OnEnd({.kind = ProviderResult::Kind::kComplete,
                 .tokens = tokens,
                 .finish_reason = finish_reason,
                 .request_id = absl::StrCat("script-", call_.id)});
  }

  bool Refuses() const {
    return rule_->fault.has_value() && (rule_->fault->kind == ScriptFault::Kind::kHttpError ||
                                        rule_->fault->kind == ScriptFault::Kind::kRateLimit);
  }

  // The same reader as for an endpoint that exists.
  void PlayWire(const ScriptedReply& reply) {
    ReplyReader reader({.dialect = call_.wire->dialect,
                        .tell = ReplyReader::Tell::kBytes,
                        .stream = call_.wire->stream,
                        .drop_usage = !call_.wire->usage_asked},
                       sink_, provider_.clock_);
    reader.OnHeaders(reply.status, reply.headers);
    for (const std::string& piece : reply.pieces) reader.TakeBytes(piece);
    const bool hangs = rule_->fault.has_value() && rule_->fault->kind == ScriptFault::Kind::kHang;
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
    const size_t size = rule_->chunk_bytes > 0 ? rule_->chunk_bytes : kChunkBytesDefault;
    while (!text.empty()) {
      const absl::string_view chunk = Prefix(text, size);
      sink_.OnText(chunk);
      text.remove_prefix(chunk.size());
    }
  }

  ProviderResult NoMatch() const {
    return {.kind = ProviderResult::Kind::kFailed,
            .failure = FailureClass::kRequest,
            .proof = Proof::kUpstreamErrorBeforeOutput,
            .reason = "SCRIPT_NO_MATCH",
            .detail = absl::StrCat("no rule for intent \"", call_.intent, "\", task \"",
                                   call_.scopes.task, "\", role \"", call_.role,
                                   "\"; add one or a default_reply")};
  }

  ScriptedProvider& provider_;
  const ProviderCall call_;
  ProviderSink& sink_;
  const std::string prompt_;
  const ScriptRule* const rule_;
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
  const auto answer = std::make_shared<Answer>(*this, call, sink);
  return DelayedReply::Start(answer->latency(), clock_, pool_, [answer] { answer->Play(); });
}

Reconciliation ScriptedProvider::Reconcile(const std::string& call_id) {
  if (books_ == nullptr) return {};
  return books_->Reconcile(call_id);
}

}  // namespace slipway::models
