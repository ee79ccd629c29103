#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "services/planner/domain/dispatcher_client.h"
#include "slipway/dispatcher/v1/dispatcher_service.grpc.pb.h"

namespace slipway::planner {

// The dispatcher over gRPC.
class GrpcDispatcherClient final : public DispatcherClient {
 public:
  explicit GrpcDispatcherClient(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(dispatcher::v1::DispatcherService::NewStub(channel)) {}

  absl::StatusOr<Run> Submit(const Project& project, const PlanHead& plan,
                             const PlanContent& content) override;
  absl::StatusOr<Run> Amend(const PlanHead& plan, const PlanDelta& delta,
                            bool validate_only) override;
  absl::StatusOr<Run> GetRun(const std::string& plan) override;

 private:
  const std::unique_ptr<dispatcher::v1::DispatcherService::StubInterface> stub_;
};

}  // namespace slipway::planner
