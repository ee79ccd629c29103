#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/rpc/server.h"
#include "lib/rpc/status.h"
#include "slipway/dispatcher/v1/dispatcher_service.grpc.pb.h"
#include "slipway/events/v1/event_log.grpc.pb.h"
#include "slipway/models/v1/models_service.grpc.pb.h"
#include "slipway/repository/v1/repository_service.grpc.pb.h"

namespace slipway::planner {

// Answers each call by a function of the test, streams the text in two pieces, and keeps the
// requests. Like the real one it answers a call id once.
class FakeModels final : public models::v1::ModelsService::Service {
 public:
  using Answer = std::function<absl::StatusOr<std::string>(const models::v1::GenerateRequest&)>;

  void SetAnswer(Answer answer) {
    base::MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  std::vector<models::v1::GenerateRequest> requests() const {
    base::MutexLock lock(mutex_);
    return requests_;
  }

  grpc::Status Generate(grpc::ServerContext* context, const models::v1::GenerateRequest* request,
                        grpc::ServerWriter<models::v1::GenerateResponse>* writer) override {
    Answer answer;
    {
      base::MutexLock lock(mutex_);
      requests_.push_back(*request);
      answer = answer_;
    }
    if (!answer) {  // Hangs until the caller goes away.
      base::MutexLock lock(mutex_);
      while (!context->IsCancelled() && !answer_) changed_.WaitFor(mutex_, absl::Milliseconds(5));
      return {grpc::StatusCode::ABORTED, "nobody knows"};
    }
    const absl::StatusOr<std::string> text = answer(*request);
    if (!text.ok()) return rpc::ToGrpcStatus(text.status());
    models::v1::GenerateResponse response;
    response.set_text(text->substr(0, text->size() / 2));
    writer->Write(response);
    response.set_text(text->substr(text->size() / 2));
    writer->Write(response);
    response.mutable_outcome()->set_finish_reason("stop");
    writer->Write(response);
    return grpc::Status::OK;
  }

  grpc::Status Estimate(grpc::ServerContext*, const models::v1::EstimateRequest* request,
                        models::v1::EstimateResponse* response) override {
    if (request->role() == "unpriced") {
      return rpc::ToGrpcStatus(absl::FailedPreconditionError("no price"));
    }
    response->set_cost_usd_nanos(request->input_tokens() + 4 * request->output_tokens());
    return grpc::Status::OK;
  }

 private:
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  Answer answer_ ABSL_GUARDED_BY(mutex_);
  std::vector<models::v1::GenerateRequest> requests_ ABSL_GUARDED_BY(mutex_);
};

// One repository with three files.
class FakeRepository final : public repository::v1::RepositoryService::Service {
 public:
  static constexpr char kCommit[] = "1111111111111111111111111111111111111111";

  void SetDirty(bool dirty) {
    base::MutexLock lock(mutex_);
    dirty_ = dirty;
  }
  void SetOpenError(absl::Status error) {
    base::MutexLock lock(mutex_);
    open_error_ = std::move(error);
  }
  std::vector<repository::v1::OpenPlanRequest> opened() const {
    base::MutexLock lock(mutex_);
    return opened_;
  }

  grpc::Status CheckRepository(grpc::ServerContext*,
                               const repository::v1::CheckRepositoryRequest* request,
                               repository::v1::CheckRepositoryResponse* response) override;
  grpc::Status OpenPlan(grpc::ServerContext*, const repository::v1::OpenPlanRequest* request,
                        repository::v1::OpenPlanResponse* response) override;
  grpc::Status ListFiles(grpc::ServerContext*, const repository::v1::ListFilesRequest* request,
                         repository::v1::ListFilesResponse* response) override;
  grpc::Status ReadFile(grpc::ServerContext*, const repository::v1::ReadFileRequest* request,
                        repository::v1::ReadFileResponse* response) override;

 private:
  mutable base::Mutex mutex_;
  bool dirty_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status open_error_ ABSL_GUARDED_BY(mutex_);
  std::vector<repository::v1::OpenPlanRequest> opened_ ABSL_GUARDED_BY(mutex_);
};

// Takes plans over, and has a log of how their runs end.
class FakeDispatcher final : public dispatcher::v1::DispatcherService::Service {
 public:
  void SetSubmitError(absl::Status error) {
    base::MutexLock lock(mutex_);
    submit_error_ = std::move(error);
  }
  std::vector<dispatcher::v1::PlanSpec> submitted() const {
    base::MutexLock lock(mutex_);
    return submitted_;
  }

  // Of amendments, also of those that are only to be checked.
  void SetAmendError(absl::Status error) {
    base::MutexLock lock(mutex_);
    amend_error_ = std::move(error);
  }
  // Those that were taken, without repeats.
  std::vector<dispatcher::v1::PlanAmendment> amended() const {
    base::MutexLock lock(mutex_);
    return amended_;
  }
  // Those that were only to be checked.
  int validated() const {
    base::MutexLock lock(mutex_);
    return validated_;
  }

  grpc::Status AmendPlan(grpc::ServerContext*, const dispatcher::v1::AmendPlanRequest* request,
                         dispatcher::v1::AmendPlanResponse* response) override;
  grpc::Status SubmitPlan(grpc::ServerContext*, const dispatcher::v1::SubmitPlanRequest* request,
                          dispatcher::v1::SubmitPlanResponse* response) override;
  grpc::Status GetRun(grpc::ServerContext*, const dispatcher::v1::GetRunRequest* request,
                      dispatcher::v1::GetRunResponse* response) override;

  // What GetRun says of every plan.
  void SetRunState(dispatcher::v1::Run::State state) {
    base::MutexLock lock(mutex_);
    run_state_ = state;
  }

 private:
  mutable base::Mutex mutex_;
  absl::Status submit_error_ ABSL_GUARDED_BY(mutex_);
  dispatcher::v1::Run::State run_state_ ABSL_GUARDED_BY(mutex_) =
      dispatcher::v1::Run::STATE_RUNNING;
  std::vector<dispatcher::v1::PlanSpec> submitted_ ABSL_GUARDED_BY(mutex_);
  absl::Status amend_error_ ABSL_GUARDED_BY(mutex_);
  std::vector<dispatcher::v1::PlanAmendment> amended_ ABSL_GUARDED_BY(mutex_);
  int validated_ ABSL_GUARDED_BY(mutex_) = 0;
};

class FakeRunLog final : public events::v1::EventLogService::Service {
 public:
  // Appends run.state_changed of `plan`.
  void Append(const std::string& plan, const std::string& to, const std::string& detail);
  // Tokens made before are refused, as by another database.
  void ReplaceDatabase();

  grpc::Status Watch(grpc::ServerContext* context, const events::v1::WatchRequest* request,
                     grpc::ServerWriter<events::v1::WatchResponse>* writer) override;

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int epoch_ ABSL_GUARDED_BY(mutex_) = 1;
  std::vector<events::v1::Event> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::planner
