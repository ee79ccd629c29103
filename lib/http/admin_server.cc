#include "lib/http/admin_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"

namespace slipway::http {
namespace {

// A scraper, a prober and a few people.
constexpr int kConnectionsMax = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(Options options) {
  Router router;
  router.Route("GET", "/metrics",
               [metrics = std::move(options.metrics)](const Request&, const auto& writer) {
                 writer->Send(200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                              metrics ? metrics() : "");
               });
  router.Route("GET", "/healthz", [](const Request&, const auto& writer) {
    writer->Send(200, {{"Content-Type", "text/plain"}}, "ok\n");
  });
  router.Route("GET", "/readyz",
               [ready = std::move(options.ready)](const Request&, const auto& writer) {
                 const absl::Status status = ready ? ready() : absl::OkStatus();
                 writer->Send(status.ok() ? 200 : 503, {{"Content-Type", "text/plain"}},
                              status.ok() ? "ok\n" : absl::StrCat(status.message(), "\n"));
               });
  ASSIGN_OR_RETURN(std::unique_ptr<Server> server,
                   Server::Start({.address = std::move(options.address),
                                  .limits = {.connections = kConnectionsMax}},
                                 std::move(router)));
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(server)));
}

}  // namespace slipway::http
