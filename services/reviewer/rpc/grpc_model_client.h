#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/reviewer/domain/model_client.h"
#include "slipway/models/v1/models_service.grpc.pb.h"

namespace slipway::reviewer {

// Calls the models service. Thread-safe.
class GrpcModelClient final : public ModelClient {
 public:
  explicit GrpcModelClient(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(models::v1::ModelsService::NewStub(channel)) {}

  absl::StatusOr<std::string> Generate(const ModelRequest& request) override;

 private:
  const std::unique_ptr<models::v1::ModelsService::StubInterface> stub_;
};

}  // namespace slipway::reviewer
