#include "services/models/proxy/chat_proxy.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/http/sse_parser.h"
#include "lib/log/log.h"
#include "services/models/domain/errors.h"
#include "services/models/proxy/chat_reply.h"
#include "services/models/proxy/chat_request.h"

namespace slipway::models {
namespace {

void SendFailure(http::ResponseWriter& writer, const absl::Status& error) {
  ChatError reply = ErrorReply(error);
  if (reply.status == 500) log::Error("a proxied call failed", {{"error", error.message()}});
  writer.Send(reply.status, std::move(reply.headers), std::move(reply.body));
}

std::string DataFrame(absl::string_view data) { return http::SseFrame("", data); }

}  // namespace

// Turns the reply of a call into an HTTP response: nothing is sent before the first text, so that
// every refusal has a status of its own.
class ChatProxy::Reply final : public ReplySink {
 public:
  Reply(Writer writer, const ChatRequest& request, int64_t created)
      : writer_(std::move(writer)),
        stream_(request.stream),
        include_usage_(request.include_usage),
        identity_{.call = request.spec.call_id, .role = request.spec.role, .created = created} {}

  void OnGranted(const std::string& call, int64_t output_tokens_max) override {
    identity_.call = call;
    output_tokens_max_ = output_tokens_max;
  }

  void OnText(absl::string_view text) override {
    if (!stream_) {
      text_.append(text.data(), text.size());
      return;
    }
    Open();
    // Always taken: the server's buffer holds a whole reply.
    writer_->Write(DataFrame(TextChunk(identity_, text)));
  }

  void End(const absl::StatusOr<CallOutcome>& outcome) {
    if (!outcome.ok()) return Fail(outcome.status());
    if (!stream_) {
      return writer_->Send(200, CallHeaders("application/json"),
                           CompletionBody(identity_, text_, *outcome));
    }
    Open();
    writer_->Write(DataFrame(LastChunk(identity_, outcome->finish_reason)));
    if (include_usage_) writer_->Write(DataFrame(UsageChunk(identity_, outcome->tokens)));
    writer_->Write(DataFrame("[DONE]"));
    writer_->Finish();
  }

 private:
  // After text was sent, an error is a last event without [DONE].
  void Fail(const absl::Status& error) {
    if (!open_) return SendFailure(*writer_, error);
    writer_->Write(DataFrame(ErrorReply(error).body));
    writer_->Finish();
  }

  void Open() {
    if (open_) return;
    open_ = true;
    writer_->Start(200, CallHeaders("text/event-stream"));
    writer_->Write(DataFrame(FirstChunk(identity_)));
  }

  http::Headers CallHeaders(absl::string_view content_type) const {
    return {{"Content-Type", std::string(content_type)},
            {"Cache-Control", "no-store"},
            {"x-slipway-call", identity_.call},
            {"x-slipway-output-tokens-max", absl::StrCat(output_tokens_max_)}};
  }

  const Writer writer_;
  const bool stream_;
  const bool include_usage_;
  ChatIdentity identity_;
  int64_t output_tokens_max_ = 0;
  std::string text_;
  bool open_ = false;
};

http::Router ChatProxy::MakeRouter() {
  http::Router router;
  router.Route("POST", "/v1/chat/completions", [this](http::Request request, Writer writer) {
    Queue(std::move(request), writer, &ChatProxy::ServeCompletion);
  });
  router.Route("GET", "/v1/models", [this](http::Request request, Writer writer) {
    Queue(std::move(request), writer, &ChatProxy::ServeModels);
  });
  router.Prefix("*", "/", [](http::Request request, Writer writer) {
    SendFailure(*writer, base::Error(absl::StatusCode::kNotFound, "PATH_NOT_FOUND",
                                     absl::StrCat(request.method, " ", request.path.substr(0, 200),
                                                  " is not served here: use POST "
                                                  "/v1/chat/completions or GET /v1/models")));
  });
  return router;
}

void ChatProxy::Queue(http::Request request, const Writer& writer,
                      void (ChatProxy::*serve)(const http::Request&, const Writer&)) {
  const absl::Status queued = with_.calls.TryRun(
      [this, request = std::move(request), writer, serve] { (this->*serve)(request, writer); });
  if (!queued.ok()) SendFailure(*writer, queued);
}

absl::StatusOr<AttemptKey> ChatProxy::Authenticate(const http::Request& request) {
  absl::string_view value = request.headers.Get("Authorization");
  if (!absl::ConsumePrefix(&value, "Bearer ")) return KeyInvalid();
  return with_.keys.Authenticate(value);
}

void ChatProxy::ServeCompletion(const http::Request& request, const Writer& writer) {
  const absl::StatusOr<AttemptKey> key = Authenticate(request);
  if (!key.ok()) return SendFailure(*writer, key.status());
  absl::StatusOr<ChatRequest> chat = ReadChatRequest(request.body);
  if (!chat.ok()) return SendFailure(*writer, chat.status());
  CallSpec& spec = chat->spec;
  if (std::count(key->roles.begin(), key->roles.end(), spec.role) == 0) {
    return SendFailure(*writer, RoleForbidden(spec.role));
  }
  spec.call_id = with_.ids.NewId("call");
  spec.scopes = key->scopes;
  spec.scopes.role = spec.role;
  spec.intent = "write";
  spec.key_hash = key->hash;
  spec.key_limit_usd_nanos = key->limit_usd_nanos;
  // The connection may tell of the client's end after the call has ended.
  const auto cancellation = std::make_shared<Cancellation>();
  writer->OnDisconnect([cancellation] { cancellation->Cancel("CALLER_GONE"); });
  Reply reply(writer, *chat, absl::ToUnixSeconds(with_.clock.Now()));
  reply.End(with_.caller.Run(spec, reply, *cancellation));
}

void ChatProxy::ServeModels(const http::Request& request, const Writer& writer) {
  const absl::StatusOr<AttemptKey> key = Authenticate(request);
  if (!key.ok()) return SendFailure(*writer, key.status());
  writer->Send(200, {{"Content-Type", "application/json"}}, ModelsBody(key->roles));
}

}  // namespace slipway::models
