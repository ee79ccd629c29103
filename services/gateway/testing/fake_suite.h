#pragma once

#include <grpcpp/server_context.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/thread_pool.h"
#include "lib/events/event_log_service.h"
#include "lib/rpc/server.h"
#include "lib/rpc/status.h"
#include "lib/sqlite/database.h"
#include "slipway/dispatcher/v1/dispatcher_service.grpc.pb.h"
#include "slipway/planner/v1/planner_service.grpc.pb.h"

// Services that stand where those of the suite would: real gRPC servers on unix sockets, each with
// a real event log in a file, and methods that show what arrived.
namespace slipway::gateway {

inline constexpr sqlite::Migration kFakeMigrations[] = {{1, events::kEventLogSchema}};

// A value of the client's metadata; empty when there is none.
inline std::string MetadataOf(const grpc::ServerContext& context, const std::string& key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return "";
  return std::string(found->second.data(), found->second.size());
}

// GetPlan answers with the caller's identity as the title and all metadata names as the summary.
class FakePlanner final : public planner::v1::PlannerService::Service {
 public:
  grpc::Status GetPlan(grpc::ServerContext* context, const planner::v1::GetPlanRequest* request,
                       planner::v1::GetPlanResponse* response) override {
    ++calls;
    context->AddTrailingMetadata("planner-trailer", "kept");
    if (request->name() == "projects/p/plans/missing") {
      return rpc::ToGrpcStatus(base::RetryableError(absl::StatusCode::kNotFound, "PLAN_UNKNOWN",
                                                    "there is no such plan", absl::Seconds(3),
                                                    {{"plan", request->name()}}));
    }
    has_deadline = context->deadline() < std::chrono::system_clock::now() + std::chrono::hours(1);
    response->mutable_plan()->set_name(request->name());
    response->mutable_plan()->set_title(absl::StrCat(MetadataOf(*context, "slipway-principal"), "|",
                                                     MetadataOf(*context, "slipway-role"), "|",
                                                     MetadataOf(*context, "slipway-request-id")));
    std::string names;
    for (const auto& [key, value] : context->client_metadata()) {
      absl::StrAppend(&names, std::string(key.data(), key.size()), ";");
    }
    response->mutable_plan()->set_summary(names);
    return grpc::Status::OK;
  }
  grpc::Status CreatePlan(grpc::ServerContext*, const planner::v1::CreatePlanRequest* request,
                          planner::v1::CreatePlanResponse* response) override {
    ++calls;
    response->mutable_plan()->set_spec(request->spec());
    return grpc::Status::OK;
  }
  grpc::Status ApprovePlan(grpc::ServerContext*, const planner::v1::ApprovePlanRequest*,
                           planner::v1::ApprovePlanResponse*) override {
    ++calls;
    return grpc::Status::OK;
  }

  std::atomic<int> calls = 0;
  std::atomic<bool> has_deadline = false;
};

// ReadLog sends `offset` pieces of 64 KiB; with `follow` it goes on until it is cancelled.
class FakeDispatcher final : public dispatcher::v1::DispatcherService::Service {
 public:
  grpc::Status ReadLog(grpc::ServerContext* context, const dispatcher::v1::ReadLogRequest* request,
                       grpc::ServerWriter<dispatcher::v1::ReadLogResponse>* writer) override {
    dispatcher::v1::ReadLogResponse response;
    response.set_data(std::string(64 << 10, 'x'));
    for (int64_t piece = 0; piece < request->offset(); ++piece) {
      response.set_next_offset(piece);
      if (!writer->Write(response)) {
        cancelled = true;
        return grpc::Status::CANCELLED;
      }
      pieces = piece + 1;
    }
    while (request->follow() && !context->IsCancelled()) {
      if (!writer->Write(response)) break;
    }
    if (request->follow()) cancelled = true;
    return grpc::Status::OK;
  }

  std::atomic<bool> cancelled = false;
  std::atomic<int64_t> pieces = 0;
};

// One service of the suite; stops and starts again on the same address with the same log.
class FakeBackend final {
 public:
  FakeBackend(const std::string& directory, std::string name, base::Clock& clock,
              base::IdGenerator& ids, std::vector<grpc::Service*> services)
      : name_(std::move(name)),
        address_(absl::StrCat("unix:", directory, "/", name_, ".sock")),
        path_(absl::StrCat(directory, "/", name_, ".db")),
        clock_(clock),
        ids_(ids),
        services_(std::move(services)) {
    Start();
  }
  ~FakeBackend() { Stop(); }

  const std::string& address() const { return address_; }
  events::EventLog& log() { return *log_; }

  void Start() {
    OpenLog();
    pool_ = std::make_unique<base::ThreadPool>(base::ThreadPool::Options{.threads = 2});
    events_ = std::make_unique<events::EventLogService>(*log_, *pool_, clock_);
    std::vector<grpc::Service*> services = services_;
    services.push_back(events_.get());
    server_ =
        rpc::Server::Start(
            {.address = address_, .services = services, .drain_timeout = absl::Milliseconds(20)})
            .value();
  }
  void Stop() {
    if (server_ == nullptr) return;
    events_->EndStreams();
    server_.reset();
    pool_->Stop();
    events_.reset();
    log_.reset();
    database_.reset();
  }
  // Another database in the place of this one.
  void ReplaceLog() {
    Stop();
    for (const char* suffix : {"", "-wal", "-shm"}) base::RemoveTree(path_ + suffix).IgnoreError();
    Start();
  }

  int64_t Append(const std::string& kind, const std::string& plan = "") {
    events::EventDraft draft;
    draft.kind = kind;
    draft.plan = plan;
    const absl::StatusOr<int64_t> sequence =
        database_->Write([&](sqlite::Transaction& transaction) {
          return log_->Append(transaction, clock_.Now(), draft);
        });
    log_->NotifyAppended();
    return sequence.value();
  }

 private:
  void OpenLog() {
    database_ = sqlite::Database::Open(path_, {.synchronous = sqlite::Synchronous::kNormal,
                                               .migrations = kFakeMigrations})
                    .value();
    log_ = events::EventLog::Open(*database_, ids_, name_).value();
  }

  const std::string name_;
  const std::string address_;
  const std::string path_;
  base::Clock& clock_;
  base::IdGenerator& ids_;
  const std::vector<grpc::Service*> services_;
  std::unique_ptr<sqlite::Database> database_;
  std::unique_ptr<events::EventLog> log_;
  std::unique_ptr<base::ThreadPool> pool_;
  std::unique_ptr<events::EventLogService> events_;
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace slipway::gateway
