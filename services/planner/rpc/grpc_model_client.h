#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "services/planner/domain/model_client.h"
#include "slipway/models/v1/models_service.grpc.pb.h"

namespace slipway::planner {

// The models service over gRPC.
class GrpcModelClient final : public ModelClient {
 public:
  explicit GrpcModelClient(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(models::v1::ModelsService::NewStub(channel)) {}

  absl::StatusOr<ModelReply> Generate(const PlanCall& call, Cancellation& cancellation) override;
  absl::StatusOr<int64_t> Price(const std::string& role, const TokenEstimate& tokens) override;

 private:
  const std::unique_ptr<models::v1::ModelsService::StubInterface> stub_;
};

}  // namespace slipway::planner
