#pragma once

#include <grpcpp/support/client_callback.h>

#include <memory>
#include <string>
#include <utility>

#include "lib/http/headers.h"
#include "lib/http/request.h"
#include "lib/http/response_writer.h"
#include "services/gateway/domain/tickets.h"
#include "services/gateway/rpc/gatekeeper.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::gateway {

// The merged log as server-sent events: one Watch, whose responses are written one at a time, so a
// slow reader slows its own stream only. Each event is a message with the event in JSON; the last
// of a response has the resume token as its id. Responses without events are "bookmark" messages
// with an id. A stream that the server ends closes with an "end" message that says why; one that
// cannot begin gets an HTTP error. Holds itself until the Watch has ended.
class EventStream final : public grpc::ClientReadReactor<events::v1::WatchResponse>,
                          public std::enable_shared_from_this<EventStream> {
 public:
  // GET /v1/events?project=&plan=&task=&kinds=a,b&logs=a,b&resume_token=&only_new=true&ticket=
  // A Last-Event-ID header, which browsers send when they connect again, wins over resume_token.
  static void Serve(Gatekeeper& gatekeeper, Tickets& tickets, const http::Request& request,
                    std::shared_ptr<http::ResponseWriter> writer, http::Headers headers);

 private:
  EventStream(Gatekeeper& gatekeeper, std::unique_ptr<Admission> admission,
              events::v1::WatchRequest request, std::shared_ptr<http::ResponseWriter> writer,
              http::Headers headers);

  void Begin();
  void Write();
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  Gatekeeper& gatekeeper_;
  const std::unique_ptr<Admission> admission_;
  const std::unique_ptr<events::v1::EventLogService::Stub> stub_;
  const events::v1::WatchRequest request_;
  std::shared_ptr<http::ResponseWriter> writer_;
  http::Headers headers_;
  std::shared_ptr<EventStream> self_;
  events::v1::WatchResponse response_;
  std::string chunk_;  // Not yet taken by the writer.
  bool started_ = false;
};

}  // namespace slipway::gateway
