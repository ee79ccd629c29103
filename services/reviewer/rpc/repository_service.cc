#include "services/reviewer/rpc/repository_service.h"

#include "lib/rpc/bind.h"
#include "services/reviewer/rpc/snapshot_reactor.h"
#include "slipway/repository/v1/repository_service.grpc.pb.h"

namespace slipway::reviewer {
namespace {

class RepositoryBinding final : public repository::v1::RepositoryService::CallbackService {
 public:
  RepositoryBinding(RepositoryHandlers& handlers, base::Executor& executor,
                    base::Executor& snapshot_executor)
      : handlers_(handlers), executor_(executor), snapshot_executor_(snapshot_executor) {}

  SLIPWAY_UNARY(repository::v1, CheckRepository, executor_, handlers_)
  SLIPWAY_UNARY(repository::v1, OpenPlan, executor_, handlers_)
  SLIPWAY_UNARY(repository::v1, ListFiles, executor_, handlers_)
  SLIPWAY_UNARY(repository::v1, ReadFile, executor_, handlers_)
  SLIPWAY_UNARY(repository::v1, GetDiff, executor_, handlers_)
  SLIPWAY_UNARY(repository::v1, ListCommits, executor_, handlers_)

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

}  // namespace

std::unique_ptr<grpc::Service> BindRepositoryService(RepositoryHandlers& handlers,
                                                     base::Executor& executor,
                                                     base::Executor& snapshot_executor) {
  return std::make_unique<RepositoryBinding>(handlers, executor, snapshot_executor);
}

}  // namespace slipway::reviewer
