#include "services/models/providers/endpoint_provider.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "nlohmann/json.hpp"
#include "services/models/domain/errors.h"
#include "services/models/wire/compose.h"

namespace slipway::models {
namespace {

constexpr absl::Duration kCountTimeout = absl::Seconds(10);
constexpr absl::Duration kCheckTimeout = absl::Seconds(3);  // The service's end waits for it.

class EndpointExchange final : public ProviderExchange {
 public:
  void Own(std::unique_ptr<http::Client::Handle> handle) { handle_ = std::move(handle); }
  void Resume() override {
    if (handle_ != nullptr) handle_->Resume();
  }

 private:
  std::unique_ptr<http::Client::Handle> handle_;
};

const char* PathOf(Dialect dialect) {
  switch (dialect) {
    case Dialect::kChat:
      return "/chat/completions";
    case Dialect::kResponses:
      return "/responses";
    case Dialect::kMessages:
      return "/messages";
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<EndpointProvider>> EndpointProvider::Make(Options options,
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
  return std::unique_ptr<EndpointProvider>(new EndpointProvider(std::move(options), clock));
}

const char* EndpointProvider::kind() const {
  switch (options_.kind) {
    case Kind::kOpenAi:
      return "openai";
    case Kind::kAnthropic:
      return "anthropic";
    case Kind::kCompatible:
      return "openai_chat";
  }
  return "";
}

bool EndpointProvider::Takes(Dialect dialect) const {
  if (options_.dialects.count(dialect) > 0) return true;
  return dialect == Dialect::kResponses && options_.dialects.count(Dialect::kChat) > 0;
}

Dialect EndpointProvider::MainDialect() const {
  if (options_.dialects.count(Dialect::kChat) > 0) return Dialect::kChat;
  return *options_.dialects.begin();
}

// Never "auto", which may be served at a dearer tier than was held for.
std::string EndpointProvider::TierName(const std::string& tier) const {
  if (options_.local) return "";
  if (options_.kind != Kind::kAnthropic) return tier;
  return tier == "priority" ? "auto" : "standard_only";
}

WireDecision EndpointProvider::DecisionOf(const ProviderCall& call) const {
  return {.model = call.model,
          .output_tokens_max = call.output_tokens_max,
          .service_tier = TierName(call.service_tier),
          .reasoning_effort = call.reasoning_effort,
          .old_output_limit = options_.local};
}

http::ClientRequest EndpointProvider::RequestTo(const std::string& path) const {
  http::ClientRequest request = {.method = "POST",
                                 .url = absl::StrCat(options_.base_url, path),
                                 .headers = {{"Content-Type", "application/json"}},
                                 .connect_timeout = options_.connect_timeout,
                                 .first_byte_timeout = options_.first_byte_timeout,
                                 .idle_timeout = options_.idle_timeout,
                                 .response_bytes_max = kWireReplyBytesMax,
                                 .ca_file = options_.ca_file};
  if (options_.kind == Kind::kAnthropic) {
    request.headers.Set("anthropic-version", "2023-06-01");
    if (!options_.key.empty()) request.headers.Set("x-api-key", options_.key);
  } else if (!options_.key.empty()) {
    request.headers.Set("Authorization", "Bearer " + options_.key);
  }
  return request;
}

absl::StatusOr<EndpointProvider::Prepared> EndpointProvider::Prepare(
    const ProviderCall& call) const {
  const WireDecision decision = DecisionOf(call);
  if (call.wire == nullptr) {
    const Dialect dialect = MainDialect();
    Prepared prepared = {.request = RequestTo(PathOf(dialect)), .reply = {.dialect = dialect}};
    prepared.request.body = ComposeRequest(dialect, {.model = decision.model,
                                                     .messages = call.messages,
                                                     .response_schema = call.response_schema,
                                                     .output_tokens_max = call.output_tokens_max,
                                                     .service_tier = decision.service_tier,
                                                     .reasoning_effort = call.reasoning_effort});
    prepared.request.headers.Set("Accept", "text/event-stream");
    return prepared;
  }
  const WireRequest& wire = *call.wire;
  const bool same = options_.dialects.count(wire.dialect) > 0;
  const Dialect dialect = same ? wire.dialect : Dialect::kChat;
  Prepared prepared = {.request = RequestTo(PathOf(dialect)),
                       .reply = {.dialect = dialect,
                                 .tell = ReplyReader::Tell::kBytes,
                                 .stream = wire.stream,
                                 .drop_usage = !wire.usage_asked && same}};
  for (const auto& [name, value] : wire.headers) prepared.request.headers.Set(name, value);
  prepared.request.headers.Set("Accept", wire.stream ? "text/event-stream" : "application/json");
  if (same) {
    prepared.request.body = WriteWireRequest(wire, decision);
    return prepared;
  }
  ASSIGN_OR_RETURN(ChatForResponses chat, TranslateRequest(wire, decision));
  prepared.request.body = std::move(chat.body);
  prepared.reply.translator = std::make_unique<ResponsesFromChat>(
      call.id, absl::ToUnixSeconds(clock_.Now()), wire.model, std::move(chat.custom_tools));
  return prepared;
}

std::unique_ptr<ProviderExchange> EndpointProvider::Start(const ProviderCall& call,
                                                          ProviderSink& sink) {
  auto exchange = std::make_unique<EndpointExchange>();
  absl::StatusOr<Prepared> prepared = Prepare(call);
  if (!prepared.ok()) {
    sink.OnEnd({.kind = ProviderResult::Kind::kFailed,
                .failure = FailureClass::kRequest,
                .proof = Proof::kNotSent,
                .reason = base::ReasonOf(prepared.status()),
                .detail = base::ToUtf8(prepared.status().message(), 300)});
    return exchange;
  }
  auto reader = std::make_shared<ReplyReader>(std::move(prepared->reply), sink, clock_);
  http::ClientCallbacks callbacks;
  callbacks.on_headers = [reader](int status, const http::Headers& headers) {
    reader->OnHeaders(status, headers);
  };
  callbacks.on_data = [reader](absl::string_view chunk) { return reader->OnData(chunk); };
  callbacks.on_flush = [reader] { reader->OnFlush(); };
  callbacks.on_done = [reader](const http::ClientResult& result) { reader->OnDone(result); };
  exchange->Own(client_.StartHere(std::move(prepared->request), std::move(callbacks)));
  return exchange;
}

std::optional<ProviderHealth> EndpointProvider::Check() {
  http::ClientRequest request = RequestTo("/models");
  request.method = "GET";
  request.headers.Remove("Content-Type");
  request.total_timeout = kCheckTimeout;
  const http::Client::Response response = client_.Fetch(std::move(request));
  const int status = response.result.http_status;
  if (status == 0) {
    return ProviderHealth{.detail = base::ToUtf8(response.result.status.message(), 300)};
  }
  // Not every endpoint lists its models: whatever it answers but a refused key, it is there.
  const bool refused = status == 401 || status == 403;
  ProviderHealth health = {.healthy = !refused && status < 500, .key_refused = refused};
  if (!health.healthy) {
    health.detail = ClassifyFailure(ReadFailure(status, response.body), clock_.Now()).detail;
  }
  return health;
}

std::optional<int64_t> EndpointProvider::CountInput(const std::string& model,
                                                    const WireRequest& wire) {
  const bool messages = wire.dialect == Dialect::kMessages;
  const bool counts = (options_.kind == Kind::kAnthropic && messages) ||
                      (options_.kind == Kind::kOpenAi && wire.dialect == Dialect::kResponses);
  if (!counts) return std::nullopt;
  nlohmann::json body = nlohmann::json::parse(wire.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object()) return std::nullopt;
  nlohmann::json asked = {{"model", model}};
  for (const char* name : {"messages", "system", "tools", "tool_choice", "thinking", "input",
                           "instructions", "text", "reasoning"}) {
    if (body.contains(name)) asked[name] = std::move(body[name]);
  }
  http::ClientRequest request =
      RequestTo(messages ? "/messages/count_tokens" : "/responses/input_tokens");
  for (const auto& [name, value] : wire.headers) request.headers.Set(name, value);
  request.body = asked.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  request.total_timeout = kCountTimeout;
  const http::Client::Response response = client_.Fetch(std::move(request));
  if (response.result.http_status != 200) return std::nullopt;
  const auto reply = nlohmann::json::parse(response.body, nullptr, /*allow_exceptions=*/false);
  if (!reply.is_object() || !reply.contains("input_tokens") ||
      !reply["input_tokens"].is_number_unsigned()) {
    return std::nullopt;
  }
  return reply["input_tokens"].get<int64_t>();
}

}  // namespace slipway::models
