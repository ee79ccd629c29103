#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/mutex.h"
#include "slipway/events/v1/event_log.grpc.pb.h"

namespace slipway::dispatcher {

// The ledger's log, to which a test appends.
class FakeLedger final : public events::v1::EventLogService::Service {
 public:
  void ChangeBudget(const std::string& scope, int64_t old_limit, int64_t new_limit) {
    events::v1::Event event;
    event.set_kind("budget.changed");
    auto& change = *event.mutable_payload()->mutable_budget_changed();
    change.set_scope(scope);
    change.set_old_limit(old_limit);
    change.set_new_limit(new_limit);
    base::MutexLock lock(mutex_);
    events_.push_back(event);
    changed_.NotifyAll();
  }

  void RecordUsage(const std::string& project, int64_t cost_usd_nanos) {
    events::v1::Event event;
    event.set_kind("usage.recorded");
    event.set_project(project);
    event.mutable_payload()->mutable_usage_recorded()->set_cost_usd_nanos(cost_usd_nanos);
    base::MutexLock lock(mutex_);
    events_.push_back(event);
    changed_.NotifyAll();
  }

  // The tokens that watches began with.
  std::vector<std::string> tokens() {
    base::MutexLock lock(mutex_);
    return tokens_;
  }

  grpc::Status Watch(grpc::ServerContext* context, const events::v1::WatchRequest* request,
                     grpc::ServerWriter<events::v1::WatchResponse>* writer) override {
    size_t next = request->resume_token().empty() ? 0 : std::stoul(request->resume_token());
    base::MutexLock lock(mutex_);
    tokens_.push_back(request->resume_token());
    while (!context->IsCancelled()) {
      if (next == events_.size()) {
        changed_.WaitFor(mutex_, absl::Milliseconds(20));
        continue;
      }
      events::v1::WatchResponse response;
      *response.add_events() = events_[next++];
      response.set_resume_token(absl::StrCat(next));
      if (!writer->Write(response)) break;
    }
    return grpc::Status::OK;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<events::v1::Event> events_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> tokens_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::dispatcher
