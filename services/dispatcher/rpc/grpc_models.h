#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "services/dispatcher/domain/models.h"
#include "services/dispatcher/rpc/calls_under_way.h"
#include "slipway/models/v1/models_service.grpc.pb.h"

namespace slipway::dispatcher {

// The models service as the maker of attempts' keys. Thread-safe.
class GrpcModels final : public Models {
 public:
  explicit GrpcModels(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(models::v1::ModelsService::NewStub(channel)) {}

  // Ends what is under way and waits for it.
  void Stop() { calls_.Stop(); }

  void IssueKey(const KeyRequest& request,
                absl::AnyInvocable<void(absl::StatusOr<IssuedKey>) &&> done) override;
  void RevokeKeys(const AttemptKey& attempt,
                  absl::AnyInvocable<void(absl::Status) &&> done) override;

 private:
  const std::unique_ptr<models::v1::ModelsService::Stub> stub_;
  CallsUnderWay calls_;
};

}  // namespace slipway::dispatcher
