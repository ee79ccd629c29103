#include "services/planner/testing/fake_services.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/error.h"

namespace slipway::planner {
namespace {

grpc::Status Refusal(absl::StatusCode code, absl::string_view reason) {
  return rpc::ToGrpcStatus(base::Error(code, reason, absl::StrCat("refused: ", reason)));
}

}  // namespace

grpc::Status FakeRepository::CheckRepository(grpc::ServerContext*,
                                             const repository::v1::CheckRepositoryRequest* request,
                                             repository::v1::CheckRepositoryResponse* response) {
  if (request->location() != "/repository") {
    return Refusal(absl::StatusCode::kFailedPrecondition, "NOT_A_REPOSITORY");
  }
  if (request->branch() != "main") {
    return Refusal(absl::StatusCode::kFailedPrecondition, "BRANCH_MISSING");
  }
  base::MutexLock lock(mutex_);
  if (dirty_ && request->require_clean()) {
    return Refusal(absl::StatusCode::kFailedPrecondition, "REPOSITORY_DIRTY");
  }
  response->set_commit(kCommit);
  return grpc::Status::OK;
}

grpc::Status FakeRepository::OpenPlan(grpc::ServerContext*,
                                      const repository::v1::OpenPlanRequest* request,
                                      repository::v1::OpenPlanResponse* response) {
  base::MutexLock lock(mutex_);
  if (!open_error_.ok()) return rpc::ToGrpcStatus(open_error_);
  opened_.push_back(*request);
  response->set_base_commit(request->base_commit());
  response->set_branch(request->branch());
  return grpc::Status::OK;
}

grpc::Status FakeRepository::ListFiles(grpc::ServerContext*,
                                       const repository::v1::ListFilesRequest* request,
                                       repository::v1::ListFilesResponse* response) {
  base::MutexLock lock(mutex_);
  if (opened_.empty() || request->commit() != kCommit) {
    return Refusal(absl::StatusCode::kNotFound, "COMMIT_UNKNOWN");
  }
  for (const char* const path : {"README.md", "src/main.py", "tests/test_main.py"}) {
    repository::v1::FileEntry* const file = response->add_files();
    file->set_path(path);
    file->set_mode(0100644);
    file->set_size(40);
  }
  return grpc::Status::OK;
}

grpc::Status FakeRepository::ReadFile(grpc::ServerContext*,
                                      const repository::v1::ReadFileRequest* request,
                                      repository::v1::ReadFileResponse* response) {
  if (request->path() == "tests/test_main.py") {
    return Refusal(absl::StatusCode::kOutOfRange, "FILE_TOO_LARGE");
  }
  response->set_content(absl::StrCat("content of ", request->path()));
  return grpc::Status::OK;
}

grpc::Status FakeDispatcher::SubmitPlan(grpc::ServerContext*,
                                        const dispatcher::v1::SubmitPlanRequest* request,
                                        dispatcher::v1::SubmitPlanResponse* response) {
  base::MutexLock lock(mutex_);
  if (!submit_error_.ok()) return rpc::ToGrpcStatus(submit_error_);
  submitted_.push_back(request->spec());
  response->mutable_run()->set_plan(request->spec().plan());
  response->mutable_run()->set_state(run_state_);
  return grpc::Status::OK;
}

grpc::Status FakeDispatcher::AmendPlan(grpc::ServerContext*,
                                       const dispatcher::v1::AmendPlanRequest* request,
                                       dispatcher::v1::AmendPlanResponse* response) {
  base::MutexLock lock(mutex_);
  if (!amend_error_.ok()) return rpc::ToGrpcStatus(amend_error_);
  const dispatcher::v1::PlanAmendment& amendment = request->amendment();
  if (request->validate_only()) {
    ++validated_;
  } else if (amended_.empty() || amended_.back().version() != amendment.version()) {
    amended_.push_back(amendment);
  }
  response->mutable_run()->set_plan(amendment.plan());
  response->mutable_run()->set_state(run_state_);
  return grpc::Status::OK;
}

grpc::Status FakeDispatcher::GetRun(grpc::ServerContext*,
                                    const dispatcher::v1::GetRunRequest* request,
                                    dispatcher::v1::GetRunResponse* response) {
  base::MutexLock lock(mutex_);
  response->mutable_run()->set_plan(request->plan());
  response->mutable_run()->set_state(run_state_);
  return grpc::Status::OK;
}

void FakeRunLog::Append(const std::string& plan, const std::string& to, const std::string& detail) {
  base::MutexLock lock(mutex_);
  events::v1::Event event;
  event.set_log("dispatcher");
  event.set_sequence(static_cast<int64_t>(events_.size()) + 1);
  event.set_kind("run.state_changed");
  event.set_plan(plan);
  event.mutable_payload()->mutable_run_state_changed()->set_to(to);
  event.mutable_payload()->mutable_run_state_changed()->set_detail(detail);
  events_.push_back(event);
  changed_.NotifyAll();
}

void FakeRunLog::ReplaceDatabase() {
  base::MutexLock lock(mutex_);
  ++epoch_;
  events_.clear();
  changed_.NotifyAll();
}

grpc::Status FakeRunLog::Watch(grpc::ServerContext* context,
                               const events::v1::WatchRequest* request,
                               grpc::ServerWriter<events::v1::WatchResponse>* writer) {
  base::MutexLock lock(mutex_);
  const int epoch = epoch_;
  size_t next = 0;
  if (!request->resume_token().empty()) {
    const std::vector<std::string> parts = absl::StrSplit(request->resume_token(), '.');
    int token_epoch = 0;
    if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &token_epoch) ||
        !absl::SimpleAtoi(parts[1], &next) || token_epoch != epoch) {
      return Refusal(absl::StatusCode::kFailedPrecondition, "RESUME_TOKEN_FOREIGN");
    }
  }
  while (!context->IsCancelled() && epoch == epoch_) {
    if (next < events_.size()) {
      events::v1::WatchResponse response;
      *response.add_events() = events_[next++];
      response.set_resume_token(absl::StrCat(epoch, ".", next));
      writer->Write(response);
      continue;
    }
    changed_.WaitFor(mutex_, absl::Milliseconds(5));
  }
  return {grpc::StatusCode::UNAVAILABLE, "the log is closed"};
}

}  // namespace slipway::planner
