#include "services/dispatcher/rpc/grpc_models.h"

#include <utility>

#include "lib/rpc/client_call.h"
#include "lib/rpc/failure.h"
#include "lib/rpc/proto_time.h"
#include "services/dispatcher/rpc/service_identity.h"

namespace slipway::dispatcher {
namespace {

namespace models_pb = models::v1;
using ModelsStub = models_pb::ModelsService::StubInterface::async_interface;

// Less than an offer lives, so that a key does not come for an offer that was taken back.
constexpr absl::Duration kIssueTimeout = absl::Seconds(8);
constexpr absl::Duration kRevokeTimeout = absl::Seconds(30);

// As the service has it.
constexpr size_t kBatchMax = 256;

absl::Status Unanswered() {
  return absl::InternalError("the models service's answer has no result for this attempt");
}

// Waits for a service that starts again instead of failing at once.
rpc::CallOptions Patient(absl::Duration timeout) {
  rpc::CallOptions options = AsDispatcher(timeout);
  options.wait_for_ready = true;
  return options;
}

models_pb::TaskTraits TraitsOf(const KeyRequest& request) {
  models_pb::TaskTraits traits;
  traits.set_complexity(request.complexity == 1   ? models_pb::TaskTraits::COMPLEXITY_LOW
                        : request.complexity == 3 ? models_pb::TaskTraits::COMPLEXITY_HIGH
                                                  : models_pb::TaskTraits::COMPLEXITY_MEDIUM);
  switch (request.validation_need) {
    case ValidationNeed::kNone:
      traits.set_validation_need(models_pb::TaskTraits::VALIDATION_NEED_NONE);
      break;
    case ValidationNeed::kTests:
      traits.set_validation_need(models_pb::TaskTraits::VALIDATION_NEED_TESTS);
      break;
    case ValidationNeed::kStrict:
      traits.set_validation_need(models_pb::TaskTraits::VALIDATION_NEED_STRICT);
      break;
  }
  traits.set_escalation_depth(request.failures);
  return traits;
}

absl::StatusOr<IssuedKey> KeyOf(
    const absl::StatusOr<models_pb::ChangeAttemptKeysResponse>& response, size_t place) {
  if (!response.ok()) return response.status();
  if (place >= static_cast<size_t>(response->issued_size())) return Unanswered();
  const auto& result = response->issued(static_cast<int>(place));
  if (result.has_error()) return rpc::FromFailure(result.error());
  if (!result.has_key()) return Unanswered();
  return IssuedKey{.key = result.key().key(),
                   .proxy_address = result.key().proxy_address(),
                   .role = result.key().role()};
}

absl::Status RevocationOf(const absl::StatusOr<models_pb::ChangeAttemptKeysResponse>& response,
                          size_t place) {
  if (!response.ok()) return response.status();
  if (place >= static_cast<size_t>(response->revoked_size())) return Unanswered();
  const auto& result = response->revoked(static_cast<int>(place));
  if (result.has_error()) return rpc::FromFailure(result.error());
  return result.has_revoked() ? absl::OkStatus() : Unanswered();
}

}  // namespace

void GrpcModels::IssueKey(const KeyRequest& request, IssueDone done) {
  Issues full;
  {
    base::MutexLock lock(mutex_);
    models_pb::IssueAttemptKeyRequest& proto = *issues_.request.add_issues();
    const TaskKey& task = request.attempt.task;
    proto.mutable_scopes()->set_project(ProjectOf(task.plan));
    proto.mutable_scopes()->set_plan(task.plan);
    proto.mutable_scopes()->set_task(task.Name());
    proto.mutable_scopes()->set_attempt(request.attempt.Name());
    proto.set_epoch(request.attempt.epoch);
    proto.set_generation(generation_);
    proto.add_roles(request.role);
    proto.set_intent(request.intent);
    *proto.mutable_traits() = TraitsOf(request);
    *proto.mutable_lifetime() = rpc::ToProto(request.lifetime);
    proto.set_limit_usd_nanos(request.limit_usd_nanos);
    issues_.done.push_back(std::move(done));
    if (issues_.done.size() >= kBatchMax) full = std::exchange(issues_, {});
  }
  Send(std::move(full));
}

void GrpcModels::RevokeKeys(const AttemptKey& attempt, RevokeDone done) {
  Revocations full;
  {
    base::MutexLock lock(mutex_);
    revocations_.request.add_revocations()->set_attempt(attempt.Name());
    revocations_.done.push_back(std::move(done));
    if (revocations_.done.size() >= kBatchMax) full = std::exchange(revocations_, {});
  }
  Send(std::move(full));
}

void GrpcModels::Flush() {
  Issues issues;
  Revocations revocations;
  {
    base::MutexLock lock(mutex_);
    issues = std::exchange(issues_, {});
    revocations = std::exchange(revocations_, {});
  }
  Send(std::move(issues));
  Send(std::move(revocations));
}

void GrpcModels::Send(Issues issues) {
  if (issues.done.empty()) return;
  Call(std::move(issues.request), kIssueTimeout,
       [done = std::move(issues.done)](const absl::StatusOr<Response>& response) mutable {
         for (size_t i = 0; i < done.size(); ++i) std::move(done[i])(KeyOf(response, i));
       });
}

void GrpcModels::Send(Revocations revocations) {
  if (revocations.done.empty()) return;
  Call(std::move(revocations.request), kRevokeTimeout,
       [done = std::move(revocations.done)](const absl::StatusOr<Response>& response) mutable {
         for (size_t i = 0; i < done.size(); ++i) std::move(done[i])(RevocationOf(response, i));
       });
}

void GrpcModels::Call(Request request, absl::Duration timeout,
                      absl::AnyInvocable<void(absl::StatusOr<Response>) &&> done) {
  const uint64_t id = calls_.Begin();
  using Method = void (ModelsStub::*)(grpc::ClientContext*, const Request*, Response*,
                                      std::function<void(grpc::Status)>);
  calls_.Attach(
      id, rpc::CallUnaryAsync(
              *stub_->async(), static_cast<Method>(&ModelsStub::ChangeAttemptKeys),
              std::move(request), Patient(timeout),
              absl::AnyInvocable<void(absl::StatusOr<Response>) &&>(
                  [this, id, done = std::move(done)](absl::StatusOr<Response> response) mutable {
                    std::move(done)(std::move(response));
                    calls_.End(id);
                  })));
}

}  // namespace slipway::dispatcher
