#include "services/planner/rpc/grpc_repository_client.h"

#include "lib/base/status_macros.h"
#include "lib/rpc/client_call.h"
#include "services/planner/domain/limits.h"
#include "services/planner/rpc/policy_convert.h"
#include "services/planner/rpc/service_identity.h"

namespace slipway::planner {
namespace {

using RepositoryStub = repository::v1::RepositoryService::StubInterface;

constexpr absl::Duration kRepositoryReadTimeout = absl::Seconds(30);
// A first fetch of a large repository.
constexpr absl::Duration kFetchTimeout = absl::Minutes(10);

bool IsRegular(uint32_t mode) { return (mode & 0170000) == 0100000; }

}  // namespace

absl::StatusOr<std::string> GrpcRepositoryClient::Check(const Project& project,
                                                        bool require_clean) {
  repository::v1::CheckRepositoryRequest request;
  request.set_location(project.repository);
  request.set_branch(project.target_branch);
  request.set_require_clean(require_clean);
  *request.mutable_policy() = ToProto(project.policy);
  ASSIGN_OR_RETURN(const repository::v1::CheckRepositoryResponse response,
                   rpc::CallUnary(*stub_, &RepositoryStub::CheckRepository, request,
                                  AsPlanner(kRepositoryReadTimeout)));
  return response.commit();
}

absl::StatusOr<std::string> GrpcRepositoryClient::OpenPlan(const Project& project,
                                                           const PlanHead& plan) {
  repository::v1::OpenPlanRequest request;
  request.set_plan(plan.name());
  request.set_location(project.repository);
  request.set_target_branch(project.target_branch);
  request.set_base_commit(plan.base_commit);
  request.set_branch(plan.branch);
  *request.mutable_policy() = ToProto(project.policy);
  ASSIGN_OR_RETURN(
      const repository::v1::OpenPlanResponse response,
      rpc::CallUnary(*stub_, &RepositoryStub::OpenPlan, request, AsPlanner(kFetchTimeout)));
  return response.base_commit();
}

absl::StatusOr<FileList> GrpcRepositoryClient::ListFiles(const std::string& project,
                                                         const std::string& commit) {
  repository::v1::ListFilesRequest request;
  request.set_project(project);
  request.set_commit(commit);
  request.set_page_size(kTreeFilesMax);
  ASSIGN_OR_RETURN(const repository::v1::ListFilesResponse response,
                   rpc::CallUnary(*stub_, &RepositoryStub::ListFiles, request,
                                  AsPlanner(kRepositoryReadTimeout)));
  FileList list;
  for (const repository::v1::FileEntry& file : response.files()) {
    list.files.push_back({file.path(), file.size(), IsRegular(file.mode())});
  }
  list.more = !response.next_page_token().empty();
  return list;
}

absl::StatusOr<std::string> GrpcRepositoryClient::ReadFile(const std::string& project,
                                                           const std::string& commit,
                                                           const std::string& path) {
  repository::v1::ReadFileRequest request;
  request.set_project(project);
  request.set_commit(commit);
  request.set_path(path);
  request.set_bytes_max(kContextFileBytesMax);
  ASSIGN_OR_RETURN(repository::v1::ReadFileResponse response,
                   rpc::CallUnary(*stub_, &RepositoryStub::ReadFile, request,
                                  AsPlanner(kRepositoryReadTimeout)));
  return std::move(*response.mutable_content());
}

}  // namespace slipway::planner
