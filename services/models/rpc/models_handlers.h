#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "lib/rpc/call.h"
#include "services/models/cassette/recorder.h"
#include "services/models/domain/attempt_keys.h"
#include "services/models/domain/caller.h"
#include "services/models/domain/cancellation.h"
#include "services/models/domain/gate_keeper.h"
#include "services/models/domain/health_watch.h"
#include "services/models/domain/reply_sink.h"
#include "services/models/domain/route_table.h"
#include "services/models/domain/store.h"
#include "slipway/models/v1/models_service.pb.h"

namespace slipway::models {

// ModelsService without gRPC. Thread-safe; blocks.
class ModelsHandlers final {
 public:
  struct Collaborators {
    Caller& caller;
    AttemptKeys& keys;
    GateKeeper& gates;
    Store& store;
    const RouteTable& routes;
    const Providers& providers;
    const HealthWatch& health;
    const Calibration& calibration;
    Recorder& recorder;
    CassetteStore& cassettes;
    const std::vector<std::string> recorded_projects;  // Always, by configuration; or "*".
    base::Clock& clock;
    std::string proxy_address;  // As agents' supervisors dial it.
  };

  explicit ModelsHandlers(Collaborators collaborators) : with_(std::move(collaborators)) {}

  // Begins a call, whose text goes to `sink`; `done` is called once, when it has ended.
  using GenerateDone = absl::AnyInvocable<void(absl::StatusOr<v1::GenerateResponse::Outcome>) &&>;
  void Generate(const v1::GenerateRequest& request, ReplySink& sink, Cancellation& cancellation,
                GenerateDone done);

  absl::StatusOr<v1::EstimateResponse> Estimate(const rpc::Call& call,
                                                const v1::EstimateRequest& request);
  absl::StatusOr<v1::IssueAttemptKeyResponse> IssueAttemptKey(
      const rpc::Call& call, const v1::IssueAttemptKeyRequest& request);
  absl::StatusOr<v1::ChangeAttemptKeysResponse> ChangeAttemptKeys(
      const rpc::Call& call, const v1::ChangeAttemptKeysRequest& request);
  absl::StatusOr<v1::RevokeAttemptKeysResponse> RevokeAttemptKeys(
      const rpc::Call& call, const v1::RevokeAttemptKeysRequest& request);
  absl::StatusOr<v1::ListCallsResponse> ListCalls(const rpc::Call& call,
                                                  const v1::ListCallsRequest& request);
  absl::StatusOr<v1::ListRoutesResponse> ListRoutes(const rpc::Call& call,
                                                    const v1::ListRoutesRequest& request);
  absl::StatusOr<v1::ExplainRouteResponse> ExplainRoute(const rpc::Call& call,
                                                        const v1::ExplainRouteRequest& request);
  absl::StatusOr<v1::ApproveCallsResponse> ApproveCalls(const rpc::Call& call,
                                                        const v1::ApproveCallsRequest& request);
  absl::StatusOr<v1::StartRecordingResponse> StartRecording(
      const rpc::Call& call, const v1::StartRecordingRequest& request);
  absl::StatusOr<v1::StopRecordingResponse> StopRecording(const rpc::Call& call,
                                                          const v1::StopRecordingRequest& request);
  absl::StatusOr<v1::ListCassettesResponse> ListCassettes(const rpc::Call& call,
                                                          const v1::ListCassettesRequest& request);
  absl::StatusOr<v1::ReadCassetteResponse> ReadCassette(const rpc::Call& call,
                                                        const v1::ReadCassetteRequest& request);
  absl::StatusOr<v1::DeleteCassetteResponse> DeleteCassette(
      const rpc::Call& call, const v1::DeleteCassetteRequest& request);
  absl::StatusOr<v1::ListProvidersResponse> ListProviders(const rpc::Call& call,
                                                          const v1::ListProvidersRequest& request);
  absl::StatusOr<v1::OpenGateResponse> OpenGate(const rpc::Call& call,
                                                const v1::OpenGateRequest& request);

 private:
  void FillKey(const AttemptKeys::Issued& issued, v1::IssueAttemptKeyResponse& response);

  absl::StatusOr<v1::ExplainRouteResponse> ExplainScope(const std::string& scope);

  const Collaborators with_;
};

}  // namespace slipway::models
