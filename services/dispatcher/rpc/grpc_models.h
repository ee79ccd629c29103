#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "lib/base/mutex.h"
#include "services/dispatcher/domain/models.h"
#include "services/dispatcher/rpc/calls_under_way.h"
#include "slipway/models/v1/models_service.grpc.pb.h"

namespace slipway::dispatcher {

// The models service as the maker of attempts' keys. What is asked for between two Flushes goes in
// one call, so that a decision about many attempts costs one. Thread-safe.
class GrpcModels final : public Models {
 public:
  // `generation` rises with each start of the dispatcher: what an earlier one asked for and comes
  // late replaces no key.
  GrpcModels(const std::shared_ptr<grpc::Channel>& channel, int64_t generation)
      : stub_(models::v1::ModelsService::NewStub(channel)), generation_(generation) {}

  // Ends what is under way and waits for it. What was not flushed is forgotten.
  void Stop() { calls_.Stop(); }

  void IssueKey(const KeyRequest& request,
                absl::AnyInvocable<void(absl::StatusOr<IssuedKey>) &&> done) override;
  void RevokeKeys(const AttemptKey& attempt,
                  absl::AnyInvocable<void(absl::Status) &&> done) override;
  void Flush() override;

 private:
  using Request = models::v1::ChangeAttemptKeysRequest;
  using Response = models::v1::ChangeAttemptKeysResponse;
  using IssueDone = absl::AnyInvocable<void(absl::StatusOr<IssuedKey>) &&>;
  using RevokeDone = absl::AnyInvocable<void(absl::Status) &&>;

  struct Issues {
    Request request;
    std::vector<IssueDone> done;  // In the order of the request.
  };
  struct Revocations {
    Request request;
    std::vector<RevokeDone> done;
  };

  void Send(Issues issues);
  void Send(Revocations revocations);
  void Call(Request request, absl::Duration timeout,
            absl::AnyInvocable<void(absl::StatusOr<Response>) &&> done);

  const std::unique_ptr<models::v1::ModelsService::Stub> stub_;
  const int64_t generation_;
  CallsUnderWay calls_;
  base::Mutex mutex_;
  // Two calls, as they wait for a service that is away for different times.
  Issues issues_ ABSL_GUARDED_BY(mutex_);
  Revocations revocations_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::dispatcher
