#pragma once

#include <grpcpp/server_context.h>

#include "lib/base/executor.h"
#include "lib/rpc/serve.h"
#include "services/reviewer/rpc/repository_handlers.h"
#include "services/reviewer/rpc/snapshot_reactor.h"
#include "slipway/repository/v1/repository_service.grpc.pb.h"

namespace slipway::reviewer {

// Binds the handlers to gRPC. Snapshots wait for their receivers, so they have an executor of their
// own. The collaborators must outlive the service, and the service the server that it is registered
// with.
class RepositoryService final : public repository::v1::RepositoryService::CallbackService {
 public:
  RepositoryService(RepositoryHandlers& handlers, base::Executor& executor,
                    base::Executor& snapshot_executor)
      : handlers_(handlers), executor_(executor), snapshot_executor_(snapshot_executor) {}

  grpc::ServerUnaryReactor* CheckRepository(
      grpc::CallbackServerContext* context, const repository::v1::CheckRepositoryRequest* request,
      repository::v1::CheckRepositoryResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &RepositoryHandlers::CheckRepository);
  }
  grpc::ServerUnaryReactor* OpenPlan(grpc::CallbackServerContext* context,
                                     const repository::v1::OpenPlanRequest* request,
                                     repository::v1::OpenPlanResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &RepositoryHandlers::OpenPlan);
  }
  grpc::ServerUnaryReactor* ListFiles(grpc::CallbackServerContext* context,
                                      const repository::v1::ListFilesRequest* request,
                                      repository::v1::ListFilesResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &RepositoryHandlers::ListFiles);
  }
  grpc::ServerUnaryReactor* ReadFile(grpc::CallbackServerContext* context,
                                     const repository::v1::ReadFileRequest* request,
                                     repository::v1::ReadFileResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &RepositoryHandlers::ReadFile);
  }
  grpc::ServerUnaryReactor* GetDiff(grpc::CallbackServerContext* context,
                                    const repository::v1::GetDiffRequest* request,
                                    repository::v1::GetDiffResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &RepositoryHandlers::GetDiff);
  }
  grpc::ServerUnaryReactor* ListCommits(grpc::CallbackServerContext* context,
                                        const repository::v1::ListCommitsRequest* request,
                                        repository::v1::ListCommitsResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &RepositoryHandlers::ListCommits);
  }
  grpc::ServerWriteReactor<repository::v1::GetSnapshotResponse>* GetSnapshot(
      grpc::CallbackServerContext* context,
      const repository::v1::GetSnapshotRequest* request) override {
    return SnapshotReactor::Start(handlers_, snapshot_executor_, *context, *request);
  }

 private:
  RepositoryHandlers& handlers_;
  base::Executor& executor_;
  base::Executor& snapshot_executor_;
};

}  // namespace slipway::reviewer
