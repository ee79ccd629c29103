#pragma once

#include <grpcpp/server_context.h>

#include "services/dispatcher/rpc/session_reactor.h"
#include "services/dispatcher/rpc/snapshot_relay.h"
#include "slipway/agent/v1/agent_service.grpc.pb.h"

namespace slipway::dispatcher {

// What agents can call, on a listener of its own.
class AgentService final : public agent::v1::AgentService::CallbackService {
 public:
  AgentService(SessionReactor::Host session_host, SnapshotRelay::Host snapshot_host)
      : session_host_(session_host), snapshot_host_(snapshot_host) {}

  grpc::ServerBidiReactor<agent::v1::SessionRequest, agent::v1::SessionResponse>* Session(
      grpc::CallbackServerContext* context) override {
    return SessionReactor::Start(session_host_, *context);
  }

  grpc::ServerWriteReactor<agent::v1::GetSnapshotResponse>* GetSnapshot(
      grpc::CallbackServerContext* context, const agent::v1::GetSnapshotRequest* request) override {
    return SnapshotRelay::Start(snapshot_host_, *context, *request);
  }

  grpc::ServerUnaryReactor* SubmitResult(grpc::CallbackServerContext* context,
                                         const agent::v1::SubmitResultRequest* request,
                                         agent::v1::SubmitResultResponse* response) override;

 private:
  SessionReactor::Host session_host_;
  SnapshotRelay::Host snapshot_host_;
};

}  // namespace slipway::dispatcher
