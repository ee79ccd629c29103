#include "services/gateway/http/sign_in.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/gateway/domain/errors.h"
#include "services/gateway/domain/limits.h"
#include "services/gateway/http/credentials.h"
#include "services/gateway/http/json_error.h"

namespace slipway::gateway {
namespace {

std::string Cookie(absl::string_view value, absl::string_view more) {
  return absl::StrCat(kSessionCookie, "=", value, "; Path=/; HttpOnly; SameSite=Strict", more);
}

void SendJson(http::ResponseWriter& writer, http::Headers headers, const nlohmann::json& body) {
  headers.Set("Content-Type", "application/json");
  writer.Send(200, std::move(headers), body.dump());
}

}  // namespace

void ServeLogin(Tokens& tokens, base::Executor& executor, const http::Request& request,
                std::shared_ptr<http::ResponseWriter> writer, http::Headers headers) {
  const nlohmann::json body = nlohmann::json::parse(request.body, nullptr, false);
  if (!body.is_object() || !body.contains("one_time_token") ||
      !body["one_time_token"].is_string()) {
    return SendJsonError(*writer, BodyInvalid("expected {\"one_time_token\":\"..\"}"),
                         std::move(headers));
  }
  auto exchange = [&tokens, writer, headers,
                   one_time_token = body["one_time_token"].get<std::string>()]() mutable {
    const absl::StatusOr<Tokens::Issued> issued = tokens.Exchange(one_time_token);
    if (!issued.ok()) return SendJsonError(*writer, issued.status(), std::move(headers));
    headers.Add("Set-Cookie", Cookie(issued->secret, ""));
    SendJson(*writer, std::move(headers),
             {{"secret", issued->secret},
              {"token", issued->token.name},
              {"role", std::string(RoleName(issued->token.role))}});
  };
  const absl::Status queued = executor.TryRun(std::move(exchange));
  if (!queued.ok()) SendJsonError(*writer, queued, std::move(headers));
}

void ServeLogout(http::ResponseWriter& writer, http::Headers headers) {
  headers.Add("Set-Cookie", Cookie("", "; Max-Age=0"));
  SendJson(writer, std::move(headers), nlohmann::json::object());
}

void ServeTicket(const Tokens& tokens, Tickets& tickets, const http::Request& request,
                 http::ResponseWriter& writer, http::Headers headers) {
  const std::optional<std::string> secret = SecretOf(request);
  if (!secret.has_value()) return SendJsonError(writer, TokenMissing(), std::move(headers));
  const absl::StatusOr<Token> token = tokens.Authenticate(*secret);
  if (!token.ok()) return SendJsonError(writer, token.status(), std::move(headers));
  SendJson(writer, std::move(headers),
           {{"ticket", tickets.Issue(*secret)},
            {"expires_in_seconds", absl::ToInt64Seconds(kTicketLife)}});
}

}  // namespace slipway::gateway
