#include "services/models/proxy/model_proxy.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "nlohmann/json.hpp"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"
#include "services/models/proxy/wire_reply.h"
#include "services/models/wire/request_reader.h"

namespace slipway::models {
namespace {

using nlohmann::json;

// What a provider must be told besides the body.
constexpr const char* kPassedHeaders[] = {"anthropic-beta", "anthropic-version", "openai-beta"};
constexpr size_t kHeaderBytesMax = 4'096;

absl::string_view SecretOf(const http::Request& request) {
  absl::string_view value = request.headers.Get("Authorization");
  if (absl::ConsumePrefix(&value, "Bearer ")) return value;
  return request.headers.Get("x-api-key");
}

// One role as both OpenAI's and Anthropic's clients read it.
json ModelObject(const std::string& role) {
  return {{"id", role},
          {"object", "model"},
          {"created", 0},
          {"owned_by", "slipway"},
          {"type", "model"},
          {"display_name", role},
          {"created_at", "1970-01-01T00:00:00Z"}};
}

std::string ModelListBody(const std::vector<std::string>& roles) {
  json list = json::array();
  for (const std::string& role : roles) list.push_back(ModelObject(role));
  json body = {{"object", "list"}, {"data", std::move(list)}, {"has_more", false}};
  body["first_id"] = roles.empty() ? json() : json(roles.front());
  body["last_id"] = roles.empty() ? json() : json(roles.back());
  return body.dump();
}

void SendNotFound(const http::Request& request, http::ResponseWriter& writer) {
  SendRefusal(writer, Dialect::kChat,
              base::Error(absl::StatusCode::kNotFound, "PATH_NOT_FOUND",
                          absl::StrCat(request.method, " ", request.path.substr(0, 200),
                                       " is not served here: use POST /v1/chat/completions, "
                                       "/v1/responses, /v1/messages or "
                                       "/v1/messages/count_tokens, or GET /v1/models")));
}

}  // namespace

http::Router ModelProxy::MakeRouter() {
  http::Router router;
  router.Route("POST", "/v1/chat/completions", QueuedCall(Dialect::kChat));
  router.Route("POST", "/v1/responses", QueuedCall(Dialect::kResponses));
  router.Route("POST", "/v1/messages", QueuedCall(Dialect::kMessages));
  router.Route("POST", "/v1/messages/count_tokens",
               Queued(Dialect::kMessages, &ModelProxy::ServeCount));
  router.Route("GET", "/v1/models", Queued(Dialect::kChat, &ModelProxy::ServeModels));
  router.Route("GET", "/v1/models/{model}", Queued(Dialect::kChat, &ModelProxy::ServeModels));
  // Some clients try a web socket first and fall back to events on this answer.
  router.Route("GET", "/v1/responses", [](const http::Request&, const Writer& writer) {
    http::SendError(*writer, 426, "UPGRADE_REQUIRED",
                    "web sockets are not served here: POST and read server-sent events");
  });
  // Some clients look whether anyone is there.
  router.Route("GET", "/", [](const http::Request&, const Writer& writer) {
    writer->Send(200, {{"Content-Type", "text/plain"}}, "slipway models\n");
  });
  router.Prefix("*", "/", [](const http::Request& request, const Writer& writer) {
    SendNotFound(request, *writer);
  });
  return router;
}

http::Handler ModelProxy::Queued(Dialect dialect, Serve serve) {
  return [this, dialect, serve](http::Request request, const Writer& writer) {
    const auto held = std::make_shared<http::Request>(std::move(request));
    const absl::Status queued = with_.beginnings.TryRun(
        [this, dialect, serve, held, writer] { (this->*serve)(dialect, *held, writer); });
    if (!queued.ok()) SendRefusal(*writer, dialect, queued);
  };
}

// Refuses before anything is done for a call that there is no place for. A call that asks nobody
// but the ledger begins where it arrived, because another thread takes longer to wake.
http::Handler ModelProxy::QueuedCall(Dialect dialect) {
  return [this, dialect](http::Request request, const Writer& writer) {
    absl::StatusOr<RunningCalls::Place> place = with_.caller.TakePlace();
    if (!place.ok()) return SendRefusal(*writer, dialect, place.status());
    const auto arrived =
        std::make_shared<Arrived>(Arrived{dialect, std::move(request), writer, *std::move(place)});
    if (arrived->request.body.size() <= kQuickRequestBytes) {
      const std::optional<AttemptKey> key = with_.keys.FindKnown(SecretOf(arrived->request));
      if (key.has_value()) return ServeCall(*arrived, *key, /*may_block=*/false);
    }
    const absl::Status queued =
        with_.beginnings.TryRun([this, arrived] { AuthenticateCall(*arrived); });
    if (!queued.ok()) SendRefusal(*writer, dialect, queued);
  };
}

void ModelProxy::AuthenticateCall(Arrived& arrived) {
  const absl::StatusOr<AttemptKey> key = Authenticate(arrived.request);
  if (!key.ok()) return SendRefusal(*arrived.writer, arrived.dialect, key.status());
  ServeCall(arrived, *key, /*may_block=*/true);
}

absl::StatusOr<AttemptKey> ModelProxy::Authenticate(const http::Request& request) {
  return with_.keys.Authenticate(SecretOf(request));
}

absl::StatusOr<std::shared_ptr<const WireRequest>> ModelProxy::Read(Dialect dialect,
                                                                    http::Request& request,
                                                                    const AttemptKey& key) {
  ASSIGN_OR_RETURN(WireRequest wire, ReadWireRequest(dialect, std::move(request.body)));
  if (std::count(key.roles.begin(), key.roles.end(), wire.model) == 0) {
    return RoleForbidden(wire.model);
  }
  for (const char* name : kPassedHeaders) {
    const absl::string_view value = request.headers.Get(name);
    if (!value.empty() && value.size() <= kHeaderBytesMax) {
      wire.headers.emplace_back(name, std::string(value));
    }
  }
  return std::make_shared<const WireRequest>(std::move(wire));
}

void ModelProxy::ServeCall(Arrived& arrived, const AttemptKey& key, bool may_block) {
  const Dialect dialect = arrived.dialect;
  const Writer& writer = arrived.writer;
  const absl::StatusOr<std::shared_ptr<const WireRequest>> wire =
      Read(dialect, arrived.request, key);
  if (!wire.ok()) return SendRefusal(*writer, dialect, wire.status());
  CallSpec spec = {.call_id = with_.ids.NewOrderedId("call"),
                   .role = (*wire)->model,
                   .scopes = key.scopes,
                   .intent = "write",
                   .wire = *wire,
                   .key_hash = key.hash,
                   .key_limit_usd_nanos = key.limit_usd_nanos};
  spec.scopes.role = spec.role;
  // The connection may tell of the client's end after the call has ended.
  const auto cancellation = std::make_shared<Cancellation>();
  writer->OnDisconnect([cancellation] { cancellation->Cancel("CALLER_GONE"); });
  const auto reply = std::make_shared<WireReply>(writer, dialect, (*wire)->stream);
  with_.caller.Start(std::move(spec), *reply, *cancellation, may_block,
                     [reply, cancellation, place = std::move(arrived.place)](
                         const absl::StatusOr<CallOutcome>& outcome) { reply->End(outcome); });
}

void ModelProxy::ServeCount(Dialect dialect, http::Request& request, const Writer& writer) {
  const absl::StatusOr<AttemptKey> key = Authenticate(request);
  if (!key.ok()) return SendRefusal(*writer, dialect, key.status());
  const absl::StatusOr<std::shared_ptr<const WireRequest>> wire = Read(dialect, request, *key);
  if (!wire.ok()) return SendRefusal(*writer, dialect, wire.status());
  const absl::StatusOr<int64_t> tokens = with_.caller.CountInput((*wire)->model, **wire);
  if (!tokens.ok()) return SendRefusal(*writer, dialect, tokens.status());
  writer->Send(200, {{"Content-Type", "application/json"}},
               json({{"input_tokens", *tokens}}).dump());
}

void ModelProxy::ServeModels(Dialect dialect, http::Request& request, const Writer& writer) {
  const absl::StatusOr<AttemptKey> key = Authenticate(request);
  if (!key.ok()) return SendRefusal(*writer, dialect, key.status());
  const auto named = request.parameters.find("model");
  if (named == request.parameters.end()) {
    return writer->Send(200, {{"Content-Type", "application/json"}}, ModelListBody(key->roles));
  }
  if (std::count(key->roles.begin(), key->roles.end(), named->second) == 0) {
    return SendRefusal(*writer, dialect, RoleForbidden(named->second));
  }
  writer->Send(200, {{"Content-Type", "application/json"}}, ModelObject(named->second).dump());
}

}  // namespace slipway::models
