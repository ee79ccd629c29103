#include "services/gateway/http/front.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "services/gateway/http/event_stream.h"
#include "services/gateway/http/json_call.h"
#include "services/gateway/http/json_error.h"
#include "services/gateway/http/origin_check.h"
#include "services/gateway/http/page.h"
#include "services/gateway/http/sign_in.h"

namespace slipway::gateway {
namespace {

using Writer = std::shared_ptr<http::ResponseWriter>;
// Gets the headers that every answer has.
using Answer = std::function<void(const http::Request&, Writer, http::Headers)>;

// `answer` for requests that pass the check.
http::Handler Guarded(std::shared_ptr<const OriginCheck> check, Answer answer) {
  return [check = std::move(check), answer = std::move(answer)](const http::Request& request,
                                                                Writer writer) {
    const absl::Status allowed = check->Check(request);
    if (!allowed.ok()) return SendJsonError(*writer, allowed, {{"Cache-Control", "no-store"}});
    answer(request, std::move(writer), check->AnswerHeaders(request));
  };
}

Answer Text(absl::string_view content_type, absl::string_view body) {
  return [content_type = std::string(content_type), body](const http::Request&, Writer writer,
                                                          http::Headers headers) {
    headers.Set("Content-Type", content_type);
    headers.Set("Content-Security-Policy", kPagePolicy);
    headers.Set("Referrer-Policy", "no-referrer");
    writer->Send(200, std::move(headers), std::string(body));
  };
}

}  // namespace

http::Router MakeFront(const FrontOptions& options) {
  const auto check = std::make_shared<const OriginCheck>(options.allowed_origins);
  http::Router router;
  const auto add = [&](absl::string_view method, absl::string_view pattern, Answer answer) {
    router.Route(method, pattern, Guarded(check, std::move(answer)));
  };
  add("GET", "/", Text("text/html; charset=utf-8", kPageHtml));
  add("GET", "/page.js", Text("text/javascript; charset=utf-8", kPageScript));
  add("GET", "/page.css", Text("text/css; charset=utf-8", kPageStyle));
  add("GET", "/healthz", Text("text/plain; charset=utf-8", "ok\n"));
  add("GET", "/v1/events",
      [options](const http::Request& request, Writer writer, http::Headers headers) {
        EventStream::Serve(options.gatekeeper, options.tickets, request, std::move(writer),
                           std::move(headers));
      });
  add("POST", "/v1/tickets",
      [options](const http::Request& request, Writer writer, http::Headers headers) {
        ServeTicket(options.tokens, options.tickets, request, *writer, std::move(headers));
      });
  add("POST", "/v1/login",
      [options](const http::Request& request, Writer writer, http::Headers headers) {
        ServeLogin(options.tokens, options.executor, request, std::move(writer),
                   std::move(headers));
      });
  add("POST", "/v1/logout", [](const http::Request&, Writer writer, http::Headers headers) {
    ServeLogout(*writer, std::move(headers));
  });
  add("POST", "/{service}/{method}",
      [options](const http::Request& request, Writer writer, http::Headers headers) {
        ServeJsonCall(options.gatekeeper, options.methods, request, std::move(writer),
                      std::move(headers));
      });
  // What browsers ask before they let a page of an allowed origin call.
  router.Prefix("OPTIONS", "/",
                Guarded(check, [](const http::Request&, Writer writer, http::Headers headers) {
                  writer->Send(204, std::move(headers), "");
                }));
  return router;
}

}  // namespace slipway::gateway
