#include "agent/runner/model_client.h"

#include <algorithm>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "agent/domain/limits.h"
#include "agent/domain/pause.h"
#include "agent/runner/chat_reply.h"
#include "lib/base/error.h"
#include "lib/base/utf8.h"

namespace slipway::agent {
namespace {

using Json = nlohmann::json;

constexpr char kUrl[] = "http://models/v1/chat/completions";
// A model may think for long before its first byte; the attempt's own limit is shorter anyway.
constexpr absl::Duration kFirstByteTimeout = absl::Minutes(15);
constexpr absl::Duration kIdleTimeout = absl::Minutes(5);
constexpr int kLostCallsMax = 6;
constexpr absl::Duration kLostBackoff = absl::Milliseconds(250);
constexpr absl::Duration kLostBackoffMax = absl::Seconds(4);
constexpr int kShortWaitsMax = 3;
constexpr absl::Duration kShortWait = absl::Seconds(2);
constexpr size_t kErrorBodyBytesMax = 4u << 10;

std::optional<absl::Duration> RetryAfter(const http::Headers& headers) {
  double value = 0;
  if (absl::SimpleAtod(headers.Get("retry-after-ms"), &value)) return absl::Milliseconds(value);
  if (absl::SimpleAtod(headers.Get("retry-after"), &value)) return absl::Seconds(value);
  return std::nullopt;
}

// "CODE: message" of an error body, or what there is of it.
std::string ErrorText(int status, const std::string& body) {
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("error") && json["error"].is_object()) {
    const Json& error = json["error"];
    const auto text = [&](const char* key) {
      return error.contains(key) && error[key].is_string() ? error[key].get<std::string>() : "";
    };
    return base::ToUtf8(absl::StrCat("HTTP ", status, " ", text("code"), ": ", text("message")),
                        1'024);
  }
  return absl::StrCat("HTTP ", status, " ", base::ToUtf8(body, 256));
}

Failure ProviderFailure(absl::string_view reason, absl::string_view detail) {
  return {.failure_class = FailureClass::kProvider,
          .reason = std::string(reason),
          .detail = std::string(detail)};
}

}  // namespace

struct ModelClient::Exchange {
  http::ClientResult result;
  http::Headers headers;
  std::string error_body;
  absl::Status parsed;
  std::unique_ptr<ChatReply> reply;
};

std::variant<ModelReply, Result> ModelClient::Ask(const std::vector<ChatMessage>& messages) {
  const std::string body = RequestBody(messages);
  int lost = 0, waits = 0;
  while (true) {
    Exchange exchange = Call(body);
    const int status = exchange.result.http_status;
    std::string error;
    if (status == 200 && exchange.result.status.ok() && exchange.parsed.ok()) {
      return ModelReply{.text = exchange.reply->text(), .cut_off = exchange.reply->cut_off()};
    }
    if (base::ReasonOf(exchange.parsed) == "REPLY_TOO_LARGE") {
      return Failure{.reason = "REPLY_TOO_LARGE", .detail = std::string(exchange.parsed.message())};
    }
    error = status != 0 && status != 200
                ? ErrorText(status, exchange.error_body)
                : std::string(
                      (exchange.parsed.ok() ? exchange.result.status : exchange.parsed).message());
    if (status == 402) return Stop{.reason = StopReason::kBudget, .detail = error};
    if (status == 401 || status == 403) {
      return Failure{.failure_class = FailureClass::kInfrastructure,
                     .reason = "MODEL_KEY_REFUSED",
                     .detail = error};
    }
    if (status == 429) {
      const std::optional<absl::Duration> delay = RetryAfter(exchange.headers);
      if (!delay.has_value() || *delay > kShortWait || ++waits > kShortWaitsMax) {
        return Stop{.reason = StopReason::kRateLimit, .detail = error, .retry_delay = delay};
      }
      reporter_.Progress("model", absl::StrCat("waiting: ", error));
      Pause(clock_, std::max(*delay, absl::Milliseconds(50)));
      continue;
    }
    if (status >= 400 && status < 500) return ProviderFailure("MODEL_REQUEST_REFUSED", error);
    if (++lost >= kLostCallsMax) return ProviderFailure("MODEL_UNREACHABLE", error);
    reporter_.Log(absl::StrCat("model call failed, trying again: ", error, "\n"));
    Pause(clock_, std::min(kLostBackoff * (1 << (lost - 1)), kLostBackoffMax));
  }
}

std::string ModelClient::RequestBody(const std::vector<ChatMessage>& messages) const {
  Json list = Json::array();
  for (const ChatMessage& message : messages) {
    list.push_back({{"role", message.role}, {"content", message.content}});
  }
  const Json body = {{"model", options_.role},
                     {"messages", std::move(list)},
                     {"stream", true},
                     {"stream_options", {{"include_usage", true}}}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

ModelClient::Exchange ModelClient::Call(const std::string& body) {
  Exchange exchange;
  std::promise<void> done;
  http::ClientRequest request{
      .method = "POST",
      .url = kUrl,
      .headers = {{"Authorization", "Bearer " + options_.key},
                  {"Content-Type", "application/json"},
                  {"Accept", "text/event-stream"}},
      .body = body,
      .unix_socket = options_.socket,
      .first_byte_timeout = kFirstByteTimeout,
      .idle_timeout = kIdleTimeout,
      .response_bytes_max = 8 * uint64_t{kReplyBytesMax}};  // Events around short pieces.
  http::ClientCallbacks callbacks;
  callbacks.on_headers = [&](int, const http::Headers& headers) {
    exchange.headers = headers;
    exchange.reply = std::make_unique<ChatReply>(
        absl::StrContains(headers.Get("content-type"), "text/event-stream"));
  };
  callbacks.on_data = [&](absl::string_view chunk) {
    const bool error = exchange.error_body.size() < kErrorBodyBytesMax;
    if (error) absl::StrAppend(&exchange.error_body, chunk.substr(0, kErrorBodyBytesMax));
    if (exchange.parsed.ok()) exchange.parsed = exchange.reply->Feed(chunk);
    return http::ClientCallbacks::Flow::kContinue;
  };
  callbacks.on_done = [&](const http::ClientResult& result) {
    exchange.result = result;
    done.set_value();
  };
  const std::unique_ptr<http::Client::Handle> handle =
      client_.Start(std::move(request), std::move(callbacks));
  done.get_future().wait();
  if (exchange.result.status.ok() && exchange.parsed.ok() && exchange.result.http_status == 200) {
    exchange.parsed = exchange.reply->Finish();
  }
  return exchange;
}

}  // namespace slipway::agent
