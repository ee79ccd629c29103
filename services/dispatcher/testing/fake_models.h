#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/rpc/failure.h"
#include "slipway/models/v1/models_service.grpc.pb.h"

namespace slipway::dispatcher {

// Makes keys and knows which are open.
class FakeModels final : public models::v1::ModelsService::Service {
 public:
  std::function<grpc::Status()> issue;  // Refuses keys when set and not OK.

  std::set<std::string> open_keys() {
    base::MutexLock lock(mutex_);
    return open_;
  }

  std::vector<models::v1::IssueAttemptKeyRequest> requests() {
    base::MutexLock lock(mutex_);
    return requests_;
  }

  grpc::Status ChangeAttemptKeys(grpc::ServerContext*,
                                 const models::v1::ChangeAttemptKeysRequest* request,
                                 models::v1::ChangeAttemptKeysResponse* response) override {
    for (const models::v1::IssueAttemptKeyRequest& each : request->issues()) {
      auto& result = *response->add_issued();
      const grpc::Status status = issue ? issue() : grpc::Status::OK;
      if (status.ok()) {
        Issue(each, *result.mutable_key());
      } else {
        rpc::ToFailure(rpc::FromGrpcStatus(status), *result.mutable_error());
      }
    }
    base::MutexLock lock(mutex_);
    for (const models::v1::RevokeAttemptKeysRequest& each : request->revocations()) {
      response->add_revoked()->mutable_revoked()->set_revoked(
          static_cast<int>(open_.erase(each.attempt())));
    }
    return grpc::Status::OK;
  }

 private:
  void Issue(const models::v1::IssueAttemptKeyRequest& request,
             models::v1::IssueAttemptKeyResponse& response) {
    base::MutexLock lock(mutex_);
    open_.insert(request.scopes().attempt());
    requests_.push_back(request);
    // A step up the ladder for each failure, as the service has it.
    const bool failed = request.traits().escalation_depth() > 0;
    response.set_role(failed ? "general_builder" : request.roles(0));
    response.set_key("key of " + request.scopes().attempt());
    response.set_proxy_address("unix:/models-proxy.sock");
  }

  base::Mutex mutex_;
  std::vector<models::v1::IssueAttemptKeyRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> open_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::dispatcher
