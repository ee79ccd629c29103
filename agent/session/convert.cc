#include "agent/session/convert.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/repeated_ptr_field.h"

#include "agent/domain/limits.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/rpc/proto_time.h"

namespace slipway::agent {
namespace {

absl::Status GrantInvalid(absl::string_view cause) {
  return base::Error(absl::StatusCode::kInvalidArgument, "GRANT_INVALID", cause);
}

std::vector<std::string> Texts(const google::protobuf::RepeatedPtrField<std::string>& proto) {
  return {proto.begin(), proto.end()};
}

std::vector<Validator> ValidatorsFromProto(
    const google::protobuf::RepeatedPtrField<common::v1::Validator>& protos) {
  std::vector<Validator> validators;
  for (const common::v1::Validator& validator : protos) {
    absl::Duration timeout = rpc::FromProto(validator.run_timeout());
    if (timeout <= absl::ZeroDuration()) timeout = kValidatorTimeoutDefault;
    validators.push_back({.name = validator.name(),
                          .command = Texts(validator.command()),
                          .run_timeout = timeout,
                          .directory = validator.directory()});
  }
  return validators;
}

WriteOrder OrderFromProto(const v1::WriteChange& proto) {
  const int rounds = proto.repair_rounds_max();
  return {
      .title = proto.title(),
      .description = proto.description(),
      .acceptance = Texts(proto.acceptance()),
      .allowed_paths = Texts(proto.allowed_paths()),
      .context_paths = Texts(proto.context_paths()),
      .feedback = Texts(proto.feedback()),
      .guidance = proto.guidance(),
      .backend = proto.backend(),
      .role = proto.role(),
      .model_key = proto.model_key(),
      .model_proxy = proto.model_proxy(),
      .validators = ValidatorsFromProto(proto.validators()),
      .repair_rounds_max = rounds <= 0 ? kRepairRoundsDefault : std::min(rounds, kRepairRoundsMax),
      .intent = proto.intent()};
}

CheckOrder OrderFromProto(const v1::RunValidators& proto) {
  return {.validators = ValidatorsFromProto(proto.validators()),
          .validator_digest = proto.validator_digest(),
          .tree = proto.tree()};
}

v1::Failure::Class ClassToProto(FailureClass failure_class) {
  switch (failure_class) {
    case FailureClass::kAgent:
      return v1::Failure::CLASS_AGENT;
    case FailureClass::kInfrastructure:
      return v1::Failure::CLASS_INFRASTRUCTURE;
    case FailureClass::kProvider:
      return v1::Failure::CLASS_PROVIDER;
    case FailureClass::kTimeout:
      return v1::Failure::CLASS_TIMEOUT;
  }
  return v1::Failure::CLASS_UNSPECIFIED;
}

v1::Stop::Reason ReasonToProto(StopReason reason) {
  switch (reason) {
    case StopReason::kBudget:
      return v1::Stop::REASON_BUDGET;
    case StopReason::kRateLimit:
      return v1::Stop::REASON_RATE_LIMIT;
    case StopReason::kTold:
      return v1::Stop::REASON_TOLD;
  }
  return v1::Stop::REASON_UNSPECIFIED;
}

void SetOutcome(const ValidatorOutcome& outcome, v1::ValidatorOutcome& proto) {
  proto.set_validator(outcome.validator);
  proto.set_exit_code(outcome.exit_code);
  proto.set_timed_out(outcome.timed_out);
  *proto.mutable_run_duration() = rpc::ToProto(outcome.run_duration);
  proto.set_output_tail(outcome.output_tail);
}

struct ResultWriter {
  void operator()(const Change& change) const {
    request.mutable_change()->set_patch(change.patch);
    request.mutable_change()->set_tree(change.tree);
    request.mutable_change()->set_summary(change.summary);
    for (const ValidatorOutcome& outcome : change.outcomes) {
      SetOutcome(outcome, *request.mutable_change()->add_outcomes());
    }
    request.mutable_change()->set_repair_rounds(change.repair_rounds);
  }
  void operator()(const Evidence& evidence) const {
    v1::Evidence& proto = *request.mutable_evidence();
    proto.set_tree(evidence.tree);
    proto.set_validator_digest(evidence.validator_digest);
    for (const ValidatorOutcome& outcome : evidence.outcomes) {
      SetOutcome(outcome, *proto.add_outcomes());
    }
  }
  void operator()(const Failure& failure) const {
    request.mutable_failure()->set_class_(ClassToProto(failure.failure_class));
    request.mutable_failure()->set_reason(failure.reason);
    request.mutable_failure()->set_detail(base::ToUtf8(failure.detail, kDetailBytesMax));
  }
  void operator()(const Stop& stop) const {
    request.mutable_stop()->set_reason(ReasonToProto(stop.reason));
    request.mutable_stop()->set_detail(base::ToUtf8(stop.detail, kDetailBytesMax));
    if (stop.retry_delay.has_value()) {
      *request.mutable_stop()->mutable_retry_delay() = rpc::ToProto(*stop.retry_delay);
    }
  }
  v1::SubmitResultRequest& request;
};

}  // namespace

absl::StatusOr<Grant> GrantFromProto(const v1::Grant& proto) {
  if (proto.attempt().empty() || proto.epoch() <= 0) return GrantInvalid("no attempt or epoch");
  Grant grant{.key = {.attempt = proto.attempt(), .epoch = proto.epoch()},
              .attempt_timeout = rpc::FromProto(proto.attempt_timeout()),
              .commit = proto.commit()};
  if (grant.attempt_timeout <= absl::ZeroDuration()) grant.attempt_timeout = kAttemptTimeoutDefault;
  switch (proto.work_case()) {
    case v1::Grant::kWriteChange:
      if (proto.write_change().backend() != "patch") {
        return GrantInvalid(absl::StrCat("this agent has no backend '",
                                         proto.write_change().backend(), "'; it has: patch"));
      }
      grant.work = OrderFromProto(proto.write_change());
      return grant;
    case v1::Grant::kRunValidators:
      grant.work = OrderFromProto(proto.run_validators());
      return grant;
    case v1::Grant::WORK_NOT_SET:
      break;
  }
  return GrantInvalid("no work that this agent knows");
}

v1::SubmitResultRequest ResultToProto(const GrantKey& key, const Result& result) {
  v1::SubmitResultRequest request;
  request.set_attempt(key.attempt);
  request.set_epoch(key.epoch);
  std::visit(ResultWriter{request}, result);
  return request;
}

}  // namespace slipway::agent
