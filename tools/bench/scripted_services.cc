#include "tools/bench/scripted_services.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "slipway/events/v1/event_log.grpc.pb.h"
#include "slipway/models/v1/models_service.grpc.pb.h"
#include "slipway/reviewer/v1/reviewer_service.grpc.pb.h"

namespace slipway::bench {
namespace {

constexpr absl::string_view kCandidate = "/candidate";

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace

class ScriptedServices::Reviewer final : public reviewer::v1::ReviewerService::CallbackService {
 public:
  explicit Reviewer(ScriptedServices& services) : services_(services) {}

  grpc::ServerUnaryReactor* Inspect(grpc::CallbackServerContext* context,
                                    const reviewer::v1::InspectRequest*,
                                    reviewer::v1::InspectResponse* response) override {
    response->mutable_accepted()->set_commit("accepted");
    return Finished(context);
  }

  grpc::ServerUnaryReactor* CreateCandidate(
      grpc::CallbackServerContext* context, const reviewer::v1::CreateCandidateRequest* request,
      reviewer::v1::CreateCandidateResponse* response) override {
    reviewer::v1::Candidate& made = *response->mutable_candidate();
    made.set_name(
        absl::StrCat(request->has_plan() ? request->plan() : request->attempt(), kCandidate));
    made.set_commit("candidate");
    made.set_tree("tree");
    made.set_validator_digest("none");
    return Finished(context);
  }

  grpc::ServerUnaryReactor* Judge(grpc::CallbackServerContext* context,
                                  const reviewer::v1::JudgeRequest*,
                                  reviewer::v1::JudgeResponse* response) override {
    response->set_verdict(reviewer::v1::VERDICT_PASSED);
    return Finished(context);
  }

  grpc::ServerUnaryReactor* Diagnose(grpc::CallbackServerContext* context,
                                     const reviewer::v1::DiagnoseRequest*,
                                     reviewer::v1::DiagnoseResponse*) override {
    return Finished(context);
  }

  grpc::ServerUnaryReactor* ReviewChanges(grpc::CallbackServerContext* context,
                                          const reviewer::v1::ReviewChangesRequest* request,
                                          reviewer::v1::ReviewChangesResponse* response) override {
    for (const auto& change : request->changes()) {
      auto& outcome = *response->add_outcomes();
      outcome.mutable_inspection()->mutable_accepted()->set_commit("accepted");
      reviewer::v1::Candidate& made = *outcome.mutable_candidate()->mutable_candidate();
      made.set_name(absl::StrCat(change.inspection().attempt(), kCandidate));
      made.set_commit("candidate");
      made.set_tree("tree");
      made.set_validator_digest("none");
      outcome.mutable_judgement()->set_verdict(reviewer::v1::VERDICT_PASSED);
      outcome.mutable_merge()->mutable_merged()->set_commit(services_.Land(made.name()));
    }
    return Finished(context);
  }

  grpc::ServerUnaryReactor* Merge(grpc::CallbackServerContext* context,
                                  const reviewer::v1::MergeRequest* request,
                                  reviewer::v1::MergeResponse* response) override {
    response->mutable_merged()->set_commit(services_.Land(request->candidate()));
    return Finished(context);
  }

 private:
  ScriptedServices& services_;
};

class ScriptedServices::Models final : public models::v1::ModelsService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ChangeAttemptKeys(
      grpc::CallbackServerContext* context, const models::v1::ChangeAttemptKeysRequest* request,
      models::v1::ChangeAttemptKeysResponse* response) override {
    for (const models::v1::IssueAttemptKeyRequest& issue : request->issues()) {
      models::v1::IssueAttemptKeyResponse& key = *response->add_issued()->mutable_key();
      key.set_key(absl::StrCat("key of ", issue.scopes().attempt()));
      key.set_proxy_address("unix:/models-proxy.sock");
    }
    for (int i = 0; i < request->revocations_size(); ++i) {
      response->add_revoked()->mutable_revoked()->set_revoked(1);
    }
    return Finished(context);
  }
};

// A watch that stays open and tells nothing, as that of a ledger whose budgets nobody changes.
class ScriptedServices::LedgerLog final : public events::v1::EventLogService::CallbackService {
 public:
  grpc::ServerWriteReactor<events::v1::WatchResponse>* Watch(
      grpc::CallbackServerContext*, const events::v1::WatchRequest*) override {
    class Silence final : public grpc::ServerWriteReactor<events::v1::WatchResponse> {
     public:
      Silence() { StartSendInitialMetadata(); }
      void OnCancel() override { Finish(grpc::Status::CANCELLED); }
      void OnDone() override { delete this; }
    };
    return new Silence;
  }
};

ScriptedServices::ScriptedServices()
    : reviewer_(std::make_unique<Reviewer>(*this)),
      models_(std::make_unique<Models>()),
      ledger_(std::make_unique<LedgerLog>()) {}

ScriptedServices::~ScriptedServices() {
  if (server_ != nullptr) server_->Shutdown();
}

absl::StatusOr<std::unique_ptr<ScriptedServices>> ScriptedServices::Start(
    const std::string& socket) {
  std::unique_ptr<ScriptedServices> services(new ScriptedServices);
  ASSIGN_OR_RETURN(
      services->server_,
      rpc::Server::Start({.address = absl::StrCat("unix:", socket),
                          .services = {services->reviewer_.get(), services->models_.get(),
                                       services->ledger_.get()},
                          .drain_timeout = absl::Milliseconds(100)}));
  return services;
}

std::string ScriptedServices::Land(const std::string& candidate) {
  const size_t tasks = candidate.find("/tasks/");
  const bool whole = tasks == std::string::npos;
  const std::string plan =
      candidate.substr(0, whole ? candidate.size() - kCandidate.size() : tasks);
  base::MutexLock lock(mutex_);
  Landings& landings = landings_[plan];
  if (whole) {
    landings.integrated = true;
    return "integrated";
  }
  const std::string task = candidate.substr(0, candidate.find("/attempts/"));
  const auto [first, is_new] = landed_.emplace(task, candidate);
  landings.tasks += is_new;
  merged_twice_ += first->second != candidate;
  return absl::StrCat("commit of ", first->second);
}

int ScriptedServices::MergedOf(const std::string& plan) {
  base::MutexLock lock(mutex_);
  return landings_[plan].tasks;
}

bool ScriptedServices::IsIntegrated(const std::string& plan) {
  base::MutexLock lock(mutex_);
  return landings_[plan].integrated;
}

int ScriptedServices::MergedTwice() {
  base::MutexLock lock(mutex_);
  return merged_twice_;
}

}  // namespace slipway::bench
