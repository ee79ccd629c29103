#include "tools/bench/model_upstream.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/http/server.h"
#include "lib/http/sse_parser.h"

namespace slipway::bench {
namespace {

constexpr int kChunksMax = 100'000;
using Writer = std::shared_ptr<http::ResponseWriter>;

std::string Chunk(absl::string_view delta, absl::string_view finish_reason) {
  return http::SseFrame(
      "", absl::StrCat(R"({"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,)",
                       R"("model":"bench-model","choices":[{"index":0,"delta":{)", delta,
                       R"(},"finish_reason":)", finish_reason, R"(}],"usage":null})"));
}

std::string Usage(int output) {
  return absl::StrCat(R"("usage":{"prompt_tokens":)", ModelUpstream::kInputTokens,
                      R"(,"completion_tokens":)", output, R"(,"total_tokens":)",
                      ModelUpstream::kInputTokens + output, "}");
}

std::string WholeReply(int pieces) {
  std::string text;
  for (int i = 0; i < pieces; ++i) absl::StrAppend(&text, ModelUpstream::kPiece);
  return absl::StrCat(R"({"id":"chatcmpl-bench","object":"chat.completion","created":1,)",
                      R"("model":"bench-model","choices":[{"index":0,"message":{"role":)",
                      R"("assistant","content":")", text, R"("},"finish_reason":"stop"}],)",
                      Usage(pieces * 6), "}");
}

// One stream; a timer carries it from piece to piece and holds it meanwhile. Pieces are due at
// fixed times after its begin: where timers come late, which others on the machine have a share in,
// that does not add up.
class PacedStream final : public std::enable_shared_from_this<PacedStream> {
 public:
  PacedStream(Writer writer, int pieces, absl::Duration pace, bool with_usage)
      : writer_(std::move(writer)),
        left_(pieces),
        pieces_(pieces),
        pace_(pace),
        with_usage_(with_usage) {}

  void Begin() {
    writer_->Start(200, {{"Content-Type", "text/event-stream"}});
    writer_->OnDisconnect([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->gone_ = true;
    });
    GoOn();
  }

 private:
  void GoOn() {
    base::MutexLock lock(mutex_);  // The timer may run before it is assigned.
    while (left_ > 0 && !gone_) {
      writer_->Write(Chunk(absl::StrCat(R"("content":")", ModelUpstream::kPiece, "\""), "null"));
      if (--left_ == 0 || pace_ == absl::ZeroDuration()) continue;
      due_ += pace_;
      timer_ = base::RealClock().RunAfter(due_ - base::RealClock().Elapsed(),
                                          [self = shared_from_this()] { self->GoOn(); });
      return;
    }
    if (gone_) return;
    writer_->Write(Chunk("", R"("stop")"));
    if (with_usage_) {
      writer_->Write(http::SseFrame(
          "", absl::StrCat(R"({"id":"chatcmpl-bench","object":"chat.completion.chunk",)",
                           R"("created":1,"model":"bench-model","choices":[],)", Usage(pieces_ * 6),
                           "}")));
    }
    writer_->Write(http::SseFrame("", "[DONE]"));
    writer_->Finish();
  }

  const Writer writer_;
  int left_;
  const int pieces_;
  const absl::Duration pace_;
  const bool with_usage_;
  absl::Duration due_ = base::RealClock().Elapsed();  // Of the last piece that was sent.
  std::atomic<bool> gone_ = false;
  base::Mutex mutex_;
  std::unique_ptr<base::Timer> timer_;
};

bool Says(const std::string& body, absl::string_view name) {
  return absl::StrContains(body, absl::StrCat("\"", name, "\":true")) ||
         absl::StrContains(body, absl::StrCat("\"", name, "\": true"));
}

void Serve(const http::Request& request, const Writer& writer) {
  int pieces = 0;
  int64_t pace_us = 0;
  if (!absl::SimpleAtoi(request.parameters.at("chunks"), &pieces) || pieces < 1 ||
      pieces > kChunksMax || !absl::SimpleAtoi(request.parameters.at("pace"), &pace_us)) {
    return http::SendError(*writer, 400, "PATH_INVALID", "/chunks/N/every/US is expected");
  }
  if (!Says(request.body, "stream")) {
    return writer->Send(200, {{"Content-Type", "application/json"}}, WholeReply(pieces));
  }
  std::make_shared<PacedStream>(writer, pieces, absl::Microseconds(pace_us),
                                Says(request.body, "include_usage"))
      ->Begin();
}

}  // namespace

class ModelUpstream::Impl final {
 public:
  std::unique_ptr<http::Server> server;
};

ModelUpstream::ModelUpstream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ModelUpstream::~ModelUpstream() = default;

absl::StatusOr<std::unique_ptr<ModelUpstream>> ModelUpstream::Start(const std::string& address) {
  http::Router router;
  router.Route("POST", "/chunks/{chunks}/every/{pace}/v1/chat/completions", Serve);
  auto impl = std::make_unique<Impl>();
  ASSIGN_OR_RETURN(impl->server, http::Server::Start({.address = address}, std::move(router)));
  return std::unique_ptr<ModelUpstream>(new ModelUpstream(std::move(impl)));
}

}  // namespace slipway::bench
