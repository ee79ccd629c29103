#include "services/dispatcher/rpc/agent_convert.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/rpc/proto_time.h"
#include "lib/rpc/status_proto.h"
#include "services/dispatcher/domain/errors.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/rpc/convert.h"

namespace slipway::dispatcher {
namespace {

constexpr ProtocolRange kProtocols{.oldest = 1, .newest = 2};
constexpr int kHeldMax = 64;  // An agent works on one attempt; hosts with several have few.
constexpr char kBackend[] = "patch";

template <typename Repeated>
std::vector<AttemptKey> KeysFromProto(const Repeated& held) {
  std::vector<AttemptKey> keys;
  for (const agent::v1::HeldGrant& grant : held) {
    absl::StatusOr<AttemptKey> key = KeyFromProto(grant.attempt(), grant.epoch());
    if (key.ok() && keys.size() < kHeldMax) keys.push_back(*std::move(key));
  }
  return keys;
}

template <typename Repeated>
void VerdictsToProto(const std::vector<GrantVerdict>& verdicts, Repeated& protos) {
  for (const GrantVerdict& verdict : verdicts) {
    agent::v1::GrantVerdict& proto = *protos.Add();
    proto.set_attempt(verdict.attempt.Name());
    proto.set_epoch(verdict.attempt.epoch);
    proto.set_verdict(verdict.keep ? agent::v1::GrantVerdict::VERDICT_KEEP
                                   : agent::v1::GrantVerdict::VERDICT_STOP);
  }
}

void WorkToProto(const WorkOffer& work, agent::v1::WriteChange& proto) {
  const TaskSpec& spec = work.spec;
  proto.set_title(spec.title);
  proto.set_description(spec.description);
  proto.mutable_acceptance()->Add(spec.acceptance.begin(), spec.acceptance.end());
  proto.mutable_allowed_paths()->Add(spec.allowed_paths.begin(), spec.allowed_paths.end());
  proto.mutable_context_paths()->Add(spec.context_paths.begin(), spec.context_paths.end());
  proto.mutable_feedback()->Add(work.feedback.begin(), work.feedback.end());
  proto.set_guidance(work.guidance);
  proto.set_backend(kBackend);
  proto.set_role(spec.role);
  proto.set_model_key(work.model_key);
  proto.set_model_proxy(work.model_proxy);
  for (const Validator& validator : work.validators) ToProto(validator, *proto.add_validators());
  proto.set_repair_rounds_max(kRepairRoundsMax);
  proto.set_intent(spec.intent);
}

agent::v1::Grant GrantToProto(const GrantOffer& offer) {
  agent::v1::Grant grant;
  grant.set_attempt(offer.attempt.Name());
  grant.set_epoch(offer.attempt.epoch);
  *grant.mutable_attempt_timeout() = rpc::ToProto(offer.attempt_timeout);
  grant.set_commit(offer.commit);
  if (const auto* work = std::get_if<WorkOffer>(&offer.work)) {
    WorkToProto(*work, *grant.mutable_write_change());
    return grant;
  }
  const auto& validate = std::get<ValidateOffer>(offer.work);
  agent::v1::RunValidators& proto = *grant.mutable_run_validators();
  for (const Validator& validator : validate.validators) {
    ToProto(validator, *proto.add_validators());
  }
  proto.set_validator_digest(validate.validator_digest);
  proto.set_tree(validate.tree);
  return grant;
}

void ReceiptToProto(const ResultReceipt& receipt, agent::v1::ResultReceipt& proto) {
  proto.set_attempt(receipt.attempt.Name());
  proto.set_epoch(receipt.attempt.epoch);
  if (receipt.receipt.ok()) {
    proto.set_receipt(ToProto(*receipt.receipt));
  } else {
    rpc::ToProto(receipt.receipt.status(), *proto.mutable_error());
  }
}

FailureClass ClassFromProto(agent::v1::Failure::Class proto) {
  switch (proto) {
    case agent::v1::Failure::CLASS_INFRASTRUCTURE:
      return FailureClass::kInfrastructure;
    case agent::v1::Failure::CLASS_PROVIDER:
      return FailureClass::kProvider;
    case agent::v1::Failure::CLASS_TIMEOUT:
      return FailureClass::kTimeout;
    default:
      return FailureClass::kAgent;
  }
}

StopResult StopFromProto(const agent::v1::Stop& proto) {
  StopResult stop{.detail = base::ToUtf8(proto.detail(), kDetailBytesMax)};
  if (proto.reason() == agent::v1::Stop::REASON_BUDGET) stop.reason = StopReason::kBudget;
  if (proto.reason() == agent::v1::Stop::REASON_RATE_LIMIT) stop.reason = StopReason::kRateLimit;
  if (proto.has_retry_delay()) stop.retry_delay = rpc::FromProto(proto.retry_delay());
  return stop;
}

EvidenceResult EvidenceFromProto(const agent::v1::Evidence& proto) {
  EvidenceResult evidence{.tree = proto.tree(), .validator_digest = proto.validator_digest()};
  for (const agent::v1::ValidatorOutcome& outcome : proto.outcomes()) {
    evidence.outcomes.push_back({.validator = outcome.validator(),
                                 .exit_code = outcome.exit_code(),
                                 .timed_out = outcome.timed_out(),
                                 .run_duration = rpc::FromProto(outcome.run_duration()),
                                 .output_tail = outcome.output_tail()});
  }
  return evidence;
}

}  // namespace

absl::StatusOr<AttemptKey> KeyFromProto(const std::string& attempt, int64_t epoch) {
  ASSIGN_OR_RETURN(AttemptKey key, ParseAttemptKey(attempt));
  if (key.epoch == epoch) return key;
  return base::Error(absl::StatusCode::kInvalidArgument, "NAME_INVALID",
                     absl::StrCat("'", attempt, "' is not of epoch ", epoch), {{"name", attempt}});
}

absl::StatusOr<AgentHello> HelloFromProto(const agent::v1::SessionRequest& proto) {
  if (!proto.has_hello()) return HelloMissing();
  const agent::v1::Hello& hello = proto.hello();
  const ProtocolRange speaks{
      .oldest = hello.protocol_min() == 0 ? hello.protocol() : hello.protocol_min(),
      .newest = hello.protocol()};
  if (speaks.newest < kProtocols.oldest || speaks.oldest > kProtocols.newest) {
    return ProtocolUnsupported(speaks, kProtocols);
  }
  if (!base::IsValidId(hello.agent())) return HelloMissing();
  const std::string host = absl::StartsWith(hello.host(), "hosts/")
                               ? hello.host()
                               : absl::StrCat("hosts/", hello.host());
  return AgentHello{.agent = hello.agent(),
                    .host = host,
                    .boot_nonce = hello.boot_nonce(),
                    .held = KeysFromProto(hello.held())};
}

AgentBeat BeatFromProto(const agent::v1::Beat& proto) {
  return {.sequence = proto.sequence(),
          .held = KeysFromProto(proto.held()),
          .activity = proto.activity(),
          .phase = proto.phase()};
}

int ProtocolOf(const agent::v1::Hello& hello) {
  return std::min(hello.protocol(), kProtocols.newest);
}

agent::v1::SubmitResultResponse::Receipt ToProto(Receipt receipt) {
  return receipt == Receipt::kAccepted ? agent::v1::SubmitResultResponse::RECEIPT_ACCEPTED
                                       : agent::v1::SubmitResultResponse::RECEIPT_STALE;
}

agent::v1::SessionResponse OrderToProto(const AgentOrder& order) {
  agent::v1::SessionResponse response;
  if (const auto* welcome = std::get_if<Welcome>(&order)) {
    agent::v1::Welcome& proto = *response.mutable_welcome();
    *proto.mutable_beat_interval() = rpc::ToProto(welcome->beat_interval);
    *proto.mutable_idle_beat_interval() = rpc::ToProto(welcome->idle_beat_interval);
    *proto.mutable_lease_timeout() = rpc::ToProto(welcome->lease_timeout);
    VerdictsToProto(welcome->verdicts, *proto.mutable_verdicts());
  } else if (const auto* offer = std::get_if<GrantOffer>(&order)) {
    *response.mutable_grant() = GrantToProto(*offer);
  } else if (const auto* answer = std::get_if<BeatAnswer>(&order)) {
    response.mutable_beat_answer()->set_sequence(answer->sequence);
    VerdictsToProto(answer->verdicts, *response.mutable_beat_answer()->mutable_verdicts());
  } else if (const auto* receipt = std::get_if<ResultReceipt>(&order)) {
    ReceiptToProto(*receipt, *response.mutable_receipt());
  } else {
    response.mutable_goodbye()->set_reason(std::get<Goodbye>(order).reason);
  }
  return response;
}

absl::StatusOr<AttemptResult> ResultFromProto(const agent::v1::SubmitResultRequest& proto) {
  if (proto.ByteSizeLong() > kResultBytesMax) return ResultTooLarge(proto.ByteSizeLong());
  switch (proto.result_case()) {
    case agent::v1::SubmitResultRequest::kChange:
      return ChangeResult{.patch = proto.change().patch(),
                          .tree = proto.change().tree(),
                          .summary = base::ToUtf8(proto.change().summary(), kFeedbackBytesMax)};
    case agent::v1::SubmitResultRequest::kEvidence:
      return EvidenceFromProto(proto.evidence());
    case agent::v1::SubmitResultRequest::kFailure:
      return FailureResult{.failure_class = ClassFromProto(proto.failure().class_()),
                           .reason = base::ToUtf8(proto.failure().reason(), 100),
                           .detail = base::ToUtf8(proto.failure().detail(), kFeedbackBytesMax)};
    case agent::v1::SubmitResultRequest::kStop:
      return StopFromProto(proto.stop());
    case agent::v1::SubmitResultRequest::RESULT_NOT_SET:
      return ResultMissing();
  }
  return ResultMissing();
}

}  // namespace slipway::dispatcher
