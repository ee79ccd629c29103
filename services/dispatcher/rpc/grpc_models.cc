#include "services/dispatcher/rpc/grpc_models.h"

#include <utility>

#include "lib/rpc/client_call.h"
#include "lib/rpc/proto_time.h"
#include "services/dispatcher/rpc/service_identity.h"

namespace slipway::dispatcher {
namespace {

namespace models_pb = models::v1;
using ModelsStub = models_pb::ModelsService::StubInterface::async_interface;

// Less than an offer lives, so that a key does not come for an offer that was taken back.
constexpr absl::Duration kIssueTimeout = absl::Seconds(8);
constexpr absl::Duration kRevokeTimeout = absl::Seconds(30);

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

}  // namespace

void GrpcModels::IssueKey(const KeyRequest& request,
                          absl::AnyInvocable<void(absl::StatusOr<IssuedKey>) &&> done) {
  models_pb::IssueAttemptKeyRequest proto;
  const TaskKey& task = request.attempt.task;
  proto.mutable_scopes()->set_project(ProjectOf(task.plan));
  proto.mutable_scopes()->set_plan(task.plan);
  proto.mutable_scopes()->set_task(task.Name());
  proto.mutable_scopes()->set_attempt(request.attempt.Name());
  proto.set_epoch(request.attempt.epoch);
  proto.add_roles(request.role);
  proto.set_intent(request.intent);
  *proto.mutable_traits() = TraitsOf(request);
  *proto.mutable_lifetime() = rpc::ToProto(request.lifetime);
  proto.set_limit_usd_nanos(request.limit_usd_nanos);
  const uint64_t id = calls_.Begin();
  using Method =
      void (ModelsStub::*)(grpc::ClientContext*, const models_pb::IssueAttemptKeyRequest*,
                           models_pb::IssueAttemptKeyResponse*, std::function<void(grpc::Status)>);
  calls_.Attach(
      id, rpc::CallUnaryAsync(
              *stub_->async(), static_cast<Method>(&ModelsStub::IssueAttemptKey), std::move(proto),
              Patient(kIssueTimeout),
              absl::AnyInvocable<void(absl::StatusOr<models_pb::IssueAttemptKeyResponse>) &&>(
                  [this, id, done = std::move(done)](
                      absl::StatusOr<models_pb::IssueAttemptKeyResponse> key) mutable {
                    if (key.ok()) {
                      std::move(done)(IssuedKey{.key = key->key(),
                                                .proxy_address = key->proxy_address(),
                                                .role = key->role()});
                    } else {
                      std::move(done)(key.status());
                    }
                    calls_.End(id);
                  })));
}

void GrpcModels::RevokeKeys(const AttemptKey& attempt,
                            absl::AnyInvocable<void(absl::Status) &&> done) {
  models_pb::RevokeAttemptKeysRequest proto;
  proto.set_attempt(attempt.Name());
  const uint64_t id = calls_.Begin();
  using Method = void (ModelsStub::*)(
      grpc::ClientContext*, const models_pb::RevokeAttemptKeysRequest*,
      models_pb::RevokeAttemptKeysResponse*, std::function<void(grpc::Status)>);
  calls_.Attach(
      id, rpc::CallUnaryAsync(
              *stub_->async(), static_cast<Method>(&ModelsStub::RevokeAttemptKeys),
              std::move(proto), Patient(kRevokeTimeout),
              absl::AnyInvocable<void(absl::StatusOr<models_pb::RevokeAttemptKeysResponse>) &&>(
                  [this, id, done = std::move(done)](
                      absl::StatusOr<models_pb::RevokeAttemptKeysResponse> result) mutable {
                    std::move(done)(result.status());
                    calls_.End(id);
                  })));
}

}  // namespace slipway::dispatcher
