#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "services/planner/domain/repository_client.h"
#include "slipway/repository/v1/repository_service.grpc.pb.h"

namespace slipway::planner {

// The repository service over gRPC.
class GrpcRepositoryClient final : public RepositoryClient {
 public:
  explicit GrpcRepositoryClient(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(repository::v1::RepositoryService::NewStub(channel)) {}

  absl::StatusOr<std::string> Check(const Project& project, bool require_clean) override;
  absl::StatusOr<std::string> OpenPlan(const Project& project, const PlanHead& plan) override;
  absl::StatusOr<FileList> ListFiles(const std::string& project,
                                     const std::string& commit) override;
  absl::StatusOr<std::string> ReadFile(const std::string& project, const std::string& commit,
                                       const std::string& path) override;

 private:
  const std::unique_ptr<repository::v1::RepositoryService::StubInterface> stub_;
};

}  // namespace slipway::planner
