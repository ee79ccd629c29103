#pragma once

#include <grpcpp/server_context.h>

#include "lib/base/executor.h"
#include "lib/rpc/serve.h"
#include "services/reviewer/rpc/reviewer_handlers.h"
#include "slipway/reviewer/v1/reviewer_service.grpc.pb.h"

namespace slipway::reviewer {

// Binds the handlers to gRPC. Judging waits for models, so it has an executor of its own. The
// collaborators must outlive the service, and the service the server that it is registered with.
class ReviewerService final : public v1::ReviewerService::CallbackService {
 public:
  ReviewerService(ReviewerHandlers& handlers, base::Executor& executor,
                  base::Executor& model_executor)
      : handlers_(handlers), executor_(executor), model_executor_(model_executor) {}

  grpc::ServerUnaryReactor* Inspect(grpc::CallbackServerContext* context,
                                    const v1::InspectRequest* request,
                                    v1::InspectResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &ReviewerHandlers::Inspect);
  }
  grpc::ServerUnaryReactor* CreateCandidate(grpc::CallbackServerContext* context,
                                            const v1::CreateCandidateRequest* request,
                                            v1::CreateCandidateResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &ReviewerHandlers::CreateCandidate);
  }
  grpc::ServerUnaryReactor* RecordEvidence(grpc::CallbackServerContext* context,
                                           const v1::RecordEvidenceRequest* request,
                                           v1::RecordEvidenceResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &ReviewerHandlers::RecordEvidence);
  }
  grpc::ServerUnaryReactor* Judge(grpc::CallbackServerContext* context,
                                  const v1::JudgeRequest* request,
                                  v1::JudgeResponse* response) override {
    return rpc::ServeUnary(model_executor_, context, request, response, &handlers_,
                           &ReviewerHandlers::Judge);
  }
  grpc::ServerUnaryReactor* Merge(grpc::CallbackServerContext* context,
                                  const v1::MergeRequest* request,
                                  v1::MergeResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &ReviewerHandlers::Merge);
  }
  grpc::ServerUnaryReactor* GetReview(grpc::CallbackServerContext* context,
                                      const v1::GetReviewRequest* request,
                                      v1::GetReviewResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &ReviewerHandlers::GetReview);
  }

 private:
  ReviewerHandlers& handlers_;
  base::Executor& executor_;
  base::Executor& model_executor_;
};

}  // namespace slipway::reviewer
