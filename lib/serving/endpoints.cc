#include "lib/serving/endpoints.h"

#include <utility>

#include "lib/base/status_macros.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/proto_time.h"

namespace slipway::serving {

absl::Duration DrainTimeout(const config::v1::Listen& listen) {
  return rpc::DurationOr(listen.drain_timeout(), absl::Seconds(5));
}

absl::StatusOr<std::unique_ptr<http::AdminServer>> StartAdmin(const config::v1::Listen& listen) {
  if (listen.admin_address().empty()) return std::unique_ptr<http::AdminServer>();
  return http::AdminServer::Start({.address = listen.admin_address(),
                                   .metrics = [] { return metrics::Render(); },
                                   .ready = [] { return absl::OkStatus(); }});
}

absl::StatusOr<std::unique_ptr<Endpoints>> Endpoints::Start(const Options& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<rpc::Server> grpc,
                   rpc::Server::Start({.address = options.listen.address(),
                                       .services = options.services,
                                       .max_message_bytes = options.max_message_bytes,
                                       .drain_timeout = DrainTimeout(options.listen)}));
  ASSIGN_OR_RETURN(std::unique_ptr<http::AdminServer> admin, StartAdmin(options.listen));
  return std::unique_ptr<Endpoints>(new Endpoints(std::move(grpc), std::move(admin)));
}

}  // namespace slipway::serving
