#include "services/models/providers/reply_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/base/error.h"
#include "lib/base/utf8.h"

namespace slipway::models {
namespace {

// Enough for any error object; a page of HTML is cut.
constexpr size_t kErrorBodyBytesMax = 64u << 10;
// Of what comes at once: a buffer of the HTTP client.
constexpr size_t kGatheredBytesMax = 16u << 10;

}  // namespace

ReplyReader::ReplyReader(Options options, ProviderSink& sink, base::Clock& clock)
    : options_(std::move(options)), sink_(sink), clock_(clock), meter_(options_.dialect) {}

void ReplyReader::OnHeaders(int status, const http::Headers& headers) {
  status_ = status;
  streaming_ =
      absl::StrContains(absl::AsciiStrToLower(headers.Get("content-type")), "text/event-stream");
  retry_after_ = RetryAfterOf(headers, clock_.Now());
  absl::string_view id = headers.Get("x-request-id");
  if (id.empty()) id = headers.Get("request-id");
  request_id_ = base::ToUtf8(id, 200);
}

http::ClientCallbacks::Flow ReplyReader::OnData(absl::string_view bytes) {
  using Flow = http::ClientCallbacks::Flow;
  if (!sink_.HasRoom()) return Flow::kPause;
  gathering_ = true;
  TakeBytes(bytes);
  return Flow::kContinue;
}

void ReplyReader::OnFlush() {
  gathering_ = false;
  if (!gathered_.empty()) sink_.OnText(std::exchange(gathered_, ""));
}

void ReplyReader::TakeBytes(absl::string_view bytes) {
  if (status_ == 200 && streaming_) {
    const bool fed = splitter_.Feed(bytes, [this](absl::string_view frame) { TakeFrame(frame); });
    malformed_ = malformed_ || !fed;
    return;
  }
  const size_t max = status_ == 200 ? kWireBodyBytesMax : kErrorBodyBytesMax;
  malformed_ = malformed_ || body_.size() + bytes.size() > max;
  body_.append(bytes.data(), std::min(bytes.size(), max - std::min(max, body_.size())));
}

void ReplyReader::TakeFrame(absl::string_view frame) {
  bool event_seen = false;
  const absl::Status fed = parser_.Feed(frame, [&](const http::SseEvent& event) {
    event_seen = true;
    const std::string text = meter_.TakeEvent(event.data);
    TellEvent(frame, event.data, text);
  });
  malformed_ = malformed_ || !fed.ok();
  // Comments keep a connection alive.
  if (!event_seen && options_.tell == Tell::kBytes && passed_) Pass(frame);
}

void ReplyReader::TellEvent(absl::string_view frame, absl::string_view data,
                            const std::string& text) {
  if (options_.tell == Tell::kText) return Pass(text);
  // An error before anything else is a refusal like any other: it can be answered by another route.
  if (!meter_.metered().error.empty() && !passed_) return;
  if (options_.translator != nullptr) {
    if (meter_.metered().error.empty() && data != "[DONE]") {
      Pass(options_.translator->TakeChunk(data));
    }
    return;
  }
  if (options_.drop_usage && meter_.usage_alone()) return;
  Pass(frame);
}

void ReplyReader::Pass(absl::string_view bytes) {
  if (bytes.empty()) return;
  passed_ = true;
  const bool large = gathered_.empty() && bytes.size() >= kGatheredBytesMax;
  if (!gathering_ || large) return sink_.OnText(bytes);
  gathered_.append(bytes.data(), bytes.size());
  if (gathered_.size() >= kGatheredBytesMax) sink_.OnText(std::exchange(gathered_, ""));
}

void ReplyReader::End(ProviderResult result) {
  if (!gathered_.empty()) sink_.OnLastText(std::exchange(gathered_, ""));
  sink_.OnEnd(std::move(result));
}

void ReplyReader::TakeWholeBody() {
  const std::string text = meter_.TakeBody(body_);
  const Metered& metered = meter_.metered();
  if (!metered.error.empty() && !metered.tokens.has_value()) return;
  if (options_.tell == Tell::kText) return Pass(text);
  if (options_.stream) return;  // A stream was promised; what it cost is known all the same.
  if (options_.translator != nullptr) {
    return Pass(options_.translator->TakeBody(body_, metered.tokens));
  }
  if (!metered.malformed) Pass(body_);
}

void ReplyReader::OnDone(const http::ClientResult& done) {
  if (done.nothing_sent()) return End(NothingSent(done));
  if (status_ != 0 && status_ != 200) return End(Failed(ReadFailure(status_, body_)));
  gathering_ = true;
  if (status_ == 200 && !streaming_ && done.outcome == http::Outcome::kComplete && !malformed_) {
    TakeWholeBody();
  }
  if (streaming_ && options_.tell == Tell::kBytes && options_.translator == nullptr && passed_) {
    Pass(splitter_.rest());
  }
  End(Result(done));
}

ProviderResult ReplyReader::Failed(HttpFailure failure) {
  failure.retry_after = retry_after_;
  ProviderResult result = ClassifyFailure(failure, clock_.Now());
  result.request_id = request_id_;
  return result;
}

ProviderResult ReplyReader::Result(const http::ClientResult& done) {
  const Metered& metered = meter_.metered();
  const bool told = passed_ && options_.tell == Tell::kBytes && options_.translator == nullptr;
  if (!metered.error.empty() && !metered.tokens.has_value() && !metered.began && !metered.spoke) {
    ProviderResult result = Failed(ReadStreamFailure(metered.error));
    result.error_passed_on = told;
    return result;
  }
  ProviderResult result = {.tokens = metered.tokens,
                           .finish_reason = metered.finish_reason,
                           .model = metered.model,
                           .service_tier = metered.service_tier,
                           .request_id = request_id_.empty() ? metered.request_id : request_id_,
                           .retry_after = retry_after_};
  if (result.finish_reason.empty()) result.finish_reason = "stop";
  const bool delivered = options_.tell == Tell::kText || passed_;
  const bool whole =
      metered.whole && metered.error.empty() && delivered && !malformed_ && !metered.malformed;
  if (options_.translator != nullptr && options_.stream) {
    Pass(options_.translator->End(whole, result.finish_reason, metered.tokens));
  }
  if (whole) {
    result.kind = ProviderResult::Kind::kComplete;
    return result;
  }
  result.kind = ProviderResult::Kind::kUnknown;
  result.reason = base::ReasonOf(done.status);
  if (result.reason.empty()) result.reason = "REPLY_INCOMPLETE";
  result.detail = "the reply broke off";
  if (metered.error.empty()) return result;
  const ProviderResult failure = Failed(ReadStreamFailure(metered.error));
  result.reason = "REPLY_FAILED";
  result.detail = failure.detail;
  result.error_passed_on = told;
  if (failure.failure == FailureClass::kWait && !result.retry_after.has_value()) {
    result.retry_after = kGateWaitDefault;  // It said that it has too much to do.
  }
  return result;
}

ProviderResult NothingSent(const http::ClientResult& done) {
  const std::string reason = base::ReasonOf(done.status);
  // Trying again does not help against a wrong certificate or address.
  const bool config =
      reason == "TLS_FAILED" || reason == "URL_INVALID" || reason == "HEADERS_INVALID";
  return {.kind = ProviderResult::Kind::kFailed,
          .failure = config ? FailureClass::kConfig : FailureClass::kTransient,
          .proof = done.outcome == http::Outcome::kConnectFailed ? Proof::kConnectFailed
                                                                 : Proof::kNotSent,
          .reason = reason,
          .detail = base::ToUtf8(done.status.message(), 300),
          .whole_provider = true};
}

}  // namespace slipway::models
