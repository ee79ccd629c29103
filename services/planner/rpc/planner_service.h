#pragma once

#include <grpcpp/server_context.h>

#include "lib/base/executor.h"
#include "lib/rpc/serve.h"
#include "services/planner/rpc/planner_handlers.h"
#include "slipway/planner/v1/planner_service.grpc.pb.h"

namespace slipway::planner {

// Binds the handlers to gRPC. The collaborators must outlive the service, and the service the
// server that it is registered with.
class PlannerService final : public v1::PlannerService::CallbackService {
 public:
  PlannerService(PlannerHandlers& handlers, base::Executor& executor)
      : handlers_(handlers), executor_(executor) {}

  grpc::ServerUnaryReactor* CreateProject(grpc::CallbackServerContext* context,
                                          const v1::CreateProjectRequest* request,
                                          v1::CreateProjectResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::CreateProject);
  }
  grpc::ServerUnaryReactor* UpdateProject(grpc::CallbackServerContext* context,
                                          const v1::UpdateProjectRequest* request,
                                          v1::UpdateProjectResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::UpdateProject);
  }
  grpc::ServerUnaryReactor* GetProject(grpc::CallbackServerContext* context,
                                       const v1::GetProjectRequest* request,
                                       v1::GetProjectResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::GetProject);
  }
  grpc::ServerUnaryReactor* ListProjects(grpc::CallbackServerContext* context,
                                         const v1::ListProjectsRequest* request,
                                         v1::ListProjectsResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::ListProjects);
  }
  grpc::ServerUnaryReactor* CreatePlan(grpc::CallbackServerContext* context,
                                       const v1::CreatePlanRequest* request,
                                       v1::CreatePlanResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::CreatePlan);
  }
  grpc::ServerUnaryReactor* ImportPlan(grpc::CallbackServerContext* context,
                                       const v1::ImportPlanRequest* request,
                                       v1::ImportPlanResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::ImportPlan);
  }
  grpc::ServerUnaryReactor* GetPlan(grpc::CallbackServerContext* context,
                                    const v1::GetPlanRequest* request,
                                    v1::GetPlanResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::GetPlan);
  }
  grpc::ServerUnaryReactor* ListPlans(grpc::CallbackServerContext* context,
                                      const v1::ListPlansRequest* request,
                                      v1::ListPlansResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::ListPlans);
  }
  grpc::ServerUnaryReactor* EditPlan(grpc::CallbackServerContext* context,
                                     const v1::EditPlanRequest* request,
                                     v1::EditPlanResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::EditPlan);
  }
  grpc::ServerUnaryReactor* DiffPlan(grpc::CallbackServerContext* context,
                                     const v1::DiffPlanRequest* request,
                                     v1::DiffPlanResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::DiffPlan);
  }
  grpc::ServerUnaryReactor* ApprovePlan(grpc::CallbackServerContext* context,
                                        const v1::ApprovePlanRequest* request,
                                        v1::ApprovePlanResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::ApprovePlan);
  }
  grpc::ServerUnaryReactor* RejectPlan(grpc::CallbackServerContext* context,
                                       const v1::RejectPlanRequest* request,
                                       v1::RejectPlanResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::RejectPlan);
  }
  grpc::ServerUnaryReactor* StartPlan(grpc::CallbackServerContext* context,
                                      const v1::StartPlanRequest* request,
                                      v1::StartPlanResponse* response) override {
    return rpc::ServeUnary(executor_, context, request, response, &handlers_,
                           &PlannerHandlers::StartPlan);
  }

 private:
  PlannerHandlers& handlers_;
  base::Executor& executor_;
};

}  // namespace slipway::planner
