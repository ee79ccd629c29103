#include "services/models/providers/openai_chat_provider.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"
#include "lib/base/utf8.h"
#include "lib/http/sse_parser.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"
#include "services/models/providers/http_failure.h"
#include "services/models/providers/openai_wire.h"

namespace slipway::models {
namespace {

// Enough for any error object; a page of HTML is cut.
constexpr size_t kErrorBodyBytesMax = 64u << 10;

// Reads one response. All methods run on the client's thread.
class ChatReader final {
 public:
  ChatReader(ProviderSink& sink, base::Clock& clock) : sink_(sink), clock_(clock) {}

  void OnHeaders(int status, const http::Headers& headers) {
    status_ = status;
    streaming_ =
        absl::StrContains(absl::AsciiStrToLower(headers.Get("content-type")), "text/event-stream");
    retry_after_ = RetryAfterOf(headers, clock_.Now());
    result_.request_id = base::ToUtf8(headers.Get("x-request-id"), 200);
  }

  void OnData(absl::string_view bytes) {
    if (status_ == 200 && streaming_) {
      const absl::Status fed =
          parser_.Feed(bytes, [this](http::SseEvent event) { OnEvent(event.data); });
      malformed_ = malformed_ || !fed.ok();
      return;
    }
    const size_t max = status_ == 200 ? kReplyBytesMax : kErrorBodyBytesMax;
    if (body_.size() < max) body_.append(bytes.data(), std::min(bytes.size(), max - body_.size()));
  }

  void OnDone(const http::ClientResult& done) {
    if (done.nothing_sent()) return sink_.OnEnd(NothingSent(done));
    if (status_ != 0 && status_ != 200) {
      HttpFailure failure = ReadFailure(status_, body_);
      failure.retry_after = retry_after_;
      return sink_.OnEnd(ClassifyFailure(failure));
    }
    if (status_ == 200 && !streaming_ && done.outcome == http::Outcome::kComplete) {
      Take(ReadChatChunk(body_));
      ended_ = !finish_reason_.empty();
    }
    if (failed_in_stream_ && !spoke_ && !result_.tokens.has_value()) {
      HttpFailure failure = ReadFailure(500, stream_error_);
      failure.retry_after = retry_after_;
      return sink_.OnEnd(ClassifyFailure(failure));
    }
    const bool whole = ended_ || (!finish_reason_.empty() && result_.tokens.has_value());
    result_.kind = whole && !malformed_ && !failed_in_stream_ ? ProviderResult::Kind::kComplete
                                                              : ProviderResult::Kind::kUnknown;
    result_.finish_reason = finish_reason_.empty() ? "stop" : finish_reason_;
    if (result_.kind == ProviderResult::Kind::kUnknown) {
      result_.reason = base::ReasonOf(done.status);
      if (result_.reason.empty()) result_.reason = "REPLY_INCOMPLETE";
      result_.detail = "the reply broke off";
    } else {
      result_.retry_after = retry_after_;  // It used up a limit: the next call must wait.
    }
    sink_.OnEnd(std::move(result_));
  }

 private:
  void OnEvent(const std::string& data) {
    if (data == "[DONE]") {
      ended_ = true;
      return;
    }
    const ChatChunk chunk = ReadChatChunk(data);
    if (chunk.error) {
      failed_in_stream_ = true;
      stream_error_ = data;
      return;
    }
    Take(chunk);
  }

  void Take(const ChatChunk& chunk) {
    malformed_ = malformed_ || !chunk.valid;
    if (!chunk.model.empty()) result_.model = base::ToUtf8(chunk.model, 200);
    if (!chunk.service_tier.empty()) result_.service_tier = base::ToUtf8(chunk.service_tier, 40);
    if (!chunk.finish_reason.empty()) finish_reason_ = base::ToUtf8(chunk.finish_reason, 40);
    if (chunk.tokens.has_value()) result_.tokens = chunk.tokens;
    if (chunk.text.empty()) return;
    spoke_ = true;
    sink_.OnText(chunk.text);
  }

  static ProviderResult NothingSent(const http::ClientResult& done) {
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

  ProviderSink& sink_;
  base::Clock& clock_;
  http::SseParser parser_{kReplyBytesMax};
  int status_ = 0;
  bool streaming_ = false;
  std::optional<absl::Duration> retry_after_;
  std::string body_;
  bool malformed_ = false;
  bool ended_ = false;
  bool spoke_ = false;
  bool failed_in_stream_ = false;
  std::string stream_error_;
  std::string finish_reason_;
  ProviderResult result_;
};

class HttpExchange final : public ProviderExchange {
 public:
  void Own(std::unique_ptr<http::Client::Handle> handle) { handle_ = std::move(handle); }

 private:
  std::unique_ptr<http::Client::Handle> handle_;
};

std::string HostOf(absl::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme != absl::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  const size_t at = url.rfind('@');
  if (at != absl::string_view::npos) url.remove_prefix(at + 1);
  if (absl::StartsWith(url, "[")) return std::string(url.substr(1, url.find(']') - 1));
  return absl::AsciiStrToLower(url.substr(0, url.find(':')));
}

}  // namespace

bool IsPrivateHost(absl::string_view url) {
  const std::string host = HostOf(url);
  if (host == "::1" || absl::StartsWith(host, "fd")) {
    if (absl::StrContains(host, ":")) return true;
  }
  const std::vector<std::string> parts = absl::StrSplit(host, '.');
  int numbers[4] = {};
  bool address = parts.size() == 4;
  for (size_t i = 0; address && i < 4; ++i) {
    address = absl::SimpleAtoi(parts[i], &numbers[i]) && numbers[i] >= 0 && numbers[i] <= 255;
  }
  if (address) {
    return numbers[0] == 127 || numbers[0] == 10 || (numbers[0] == 192 && numbers[1] == 168) ||
           (numbers[0] == 172 && numbers[1] >= 16 && numbers[1] <= 31) ||
           (numbers[0] == 100 && numbers[1] >= 64 && numbers[1] <= 127);
  }
  if (parts.size() == 1) return !host.empty() && !absl::StrContains(host, ":");
  for (const char* suffix : {".localhost", ".local", ".internal", ".lan", ".svc"}) {
    if (absl::EndsWith(host, suffix)) return true;
  }
  return false;
}

absl::StatusOr<std::unique_ptr<OpenAiChatProvider>> OpenAiChatProvider::Make(Options options,
                                                                             base::Clock& clock) {
  const std::string who = absl::StrCat("provider ", options.name, ": ");
  const bool secure = absl::StartsWith(options.base_url, "https://");
  if (!secure && !absl::StartsWith(options.base_url, "http://")) {
    return ConfigInvalid(absl::StrCat(who, "base_url must begin with https:// or http://"));
  }
  const bool private_host = IsPrivateHost(options.base_url);
  if (options.local && !private_host) {
    return ConfigInvalid(absl::StrCat(
        who,
        "local is set, but base_url names no host of this machine or a private network; a "
        "provider that bills needs allow_paid instead"));
  }
  if (!options.local && !options.allow_paid) {
    return ConfigInvalid(absl::StrCat(
        who,
        "its calls may cost money: set allow_paid: true to allow that, or local: true for a "
        "model on this machine or network"));
  }
  if (!secure && !private_host) {
    return ConfigInvalid(absl::StrCat(who,
                                      "base_url must begin with https:// beyond a private "
                                      "network, or the key would travel in the clear"));
  }
  while (absl::EndsWith(options.base_url, "/")) options.base_url.pop_back();
  return std::unique_ptr<OpenAiChatProvider>(new OpenAiChatProvider(std::move(options), clock));
}

std::unique_ptr<ProviderExchange> OpenAiChatProvider::Start(const ProviderCall& call,
                                                            ProviderSink& sink) {
  http::ClientRequest request = {
      .method = "POST",
      .url = absl::StrCat(options_.base_url, "/chat/completions"),
      .headers = {{"Content-Type", "application/json"}, {"Accept", "text/event-stream"}},
      .body = ChatRequestBody(call),
      .connect_timeout = options_.connect_timeout,
      .first_byte_timeout = options_.first_byte_timeout,
      .idle_timeout = options_.idle_timeout,
      .ca_file = options_.ca_file};
  if (!options_.key.empty()) request.headers.Set("Authorization", "Bearer " + options_.key);
  auto reader = std::make_shared<ChatReader>(sink, clock_);
  http::ClientCallbacks callbacks;
  callbacks.on_headers = [reader](int status, const http::Headers& headers) {
    reader->OnHeaders(status, headers);
  };
  callbacks.on_data = [reader](absl::string_view chunk) {
    reader->OnData(chunk);
    return http::ClientCallbacks::Flow::kContinue;
  };
  callbacks.on_done = [reader](http::ClientResult result) { reader->OnDone(result); };
  auto exchange = std::make_unique<HttpExchange>();
  exchange->Own(client_.Start(std::move(request), std::move(callbacks)));
  return exchange;
}

}  // namespace slipway::models
