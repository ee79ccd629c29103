#pragma once

#include <grpcpp/server_context.h>

#include <deque>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "lib/rpc/status.h"
#include "slipway/models/v1/models_service.grpc.pb.h"

namespace slipway::reviewer {

// A models service that gives replies in the order they were put in. Like the real one it refuses
// an id that it answered before with another question. Thread-safe.
class FakeModels final : public models::v1::ModelsService::Service {
 public:
  void Put(absl::StatusOr<std::string> reply) {
    base::MutexLock lock(mutex_);
    replies_.push_back(std::move(reply));
  }

  std::vector<models::v1::GenerateRequest> requests() {
    base::MutexLock lock(mutex_);
    return requests_;
  }

  grpc::Status Generate(grpc::ServerContext*, const models::v1::GenerateRequest* request,
                        grpc::ServerWriter<models::v1::GenerateResponse>* writer) override {
    absl::StatusOr<std::string> reply = absl::FailedPreconditionError("no reply was put in");
    {
      base::MutexLock lock(mutex_);
      requests_.push_back(*request);
      if (!ids_.insert(request->call_id()).second) {
        return rpc::ToGrpcStatus(absl::InvalidArgumentError("the id was used before"));
      }
      if (!replies_.empty()) {
        reply = std::move(replies_.front());
        replies_.pop_front();
      }
    }
    if (!reply.ok()) return rpc::ToGrpcStatus(reply.status());
    models::v1::GenerateResponse part;
    // In pieces, as models speak.
    part.set_text(reply->substr(0, reply->size() / 2));
    writer->Write(part);
    part.set_text(reply->substr(reply->size() / 2));
    writer->Write(part);
    part.mutable_outcome()->set_finish_reason("stop");
    writer->Write(part);
    return grpc::Status::OK;
  }

 private:
  base::Mutex mutex_;
  std::deque<absl::StatusOr<std::string>> replies_ ABSL_GUARDED_BY(mutex_);
  std::vector<models::v1::GenerateRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> ids_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::reviewer
