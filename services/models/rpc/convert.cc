#include "services/models/rpc/convert.h"

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/proto_time.h"
#include "nlohmann/json.hpp"
#include "services/models/domain/errors.h"

namespace slipway::models {
namespace {

absl::StatusOr<Speaker> SpeakerFromProto(v1::PromptMessage::Speaker speaker) {
  switch (speaker) {
    case v1::PromptMessage::SPEAKER_SYSTEM:
      return Speaker::kSystem;
    case v1::PromptMessage::SPEAKER_USER:
      return Speaker::kUser;
    case v1::PromptMessage::SPEAKER_ASSISTANT:
      return Speaker::kAssistant;
    default:
      return PromptInvalid("a message has no speaker");
  }
}

}  // namespace

TaskTraits TraitsFromProto(const std::string& intent, const v1::TaskTraits& proto) {
  TaskTraits traits = {.intent = intent, .escalation_depth = proto.escalation_depth()};
  switch (proto.complexity()) {
    case v1::TaskTraits::COMPLEXITY_TRIVIAL:
      traits.complexity = Complexity::kTrivial;
      break;
    case v1::TaskTraits::COMPLEXITY_LOW:
      traits.complexity = Complexity::kLow;
      break;
    case v1::TaskTraits::COMPLEXITY_HIGH:
      traits.complexity = Complexity::kHigh;
      break;
    default:
      traits.complexity = Complexity::kMedium;
  }
  if (proto.validation_need() == v1::TaskTraits::VALIDATION_NEED_NONE) {
    traits.validation_need = ValidationNeed::kNone;
  } else if (proto.validation_need() == v1::TaskTraits::VALIDATION_NEED_STRICT) {
    traits.validation_need = ValidationNeed::kStrict;
  }
  return traits;
}

v1::TaskTraits TraitsToProto(const TaskTraits& traits) {
  v1::TaskTraits proto;
  // The names of the contract begin at 1, in the same order.
  proto.set_complexity(
      static_cast<v1::TaskTraits::Complexity>(static_cast<int>(traits.complexity) + 1));
  proto.set_validation_need(
      static_cast<v1::TaskTraits::ValidationNeed>(static_cast<int>(traits.validation_need) + 1));
  proto.set_escalation_depth(traits.escalation_depth);
  return proto;
}

absl::StatusOr<CallSpec> CallSpecFromProto(const v1::GenerateRequest& request) {
  CallSpec spec = {.call_id = request.call_id(),
                   .role = request.role(),
                   .scopes = ScopesFromProto(request.scopes()),
                   .response_schema = request.response_schema(),
                   .output_tokens_max = request.output_tokens_max(),
                   .envelope = request.envelope(),
                   .intent = request.intent()};
  if (spec.role.empty()) {
    RoleChoice choice = ChooseRole(TraitsFromProto(request.intent(), request.traits()));
    spec.role = std::move(choice.role);
    spec.role_reasons = std::move(choice.reasons);
  }
  spec.scopes.role = spec.role;
  for (const v1::PromptMessage& message : request.messages()) {
    ASSIGN_OR_RETURN(const Speaker speaker, SpeakerFromProto(message.speaker()));
    spec.messages.push_back({speaker, message.text()});
  }
  if (!spec.response_schema.empty()) {
    const auto schema = nlohmann::json::parse(spec.response_schema, nullptr, false);
    if (!schema.is_object()) return PromptInvalid("response_schema is not a JSON object");
  }
  return spec;
}

AttemptKeys::Issue IssueFromProto(const v1::IssueAttemptKeyRequest& request) {
  AttemptKeys::Issue issue = {.scopes = ScopesFromProto(request.scopes()),
                              .epoch = request.epoch(),
                              .generation = request.generation(),
                              .roles = {request.roles().begin(), request.roles().end()},
                              .lifetime = absl::Seconds(request.lifetime().seconds()) +
                                          absl::Nanoseconds(request.lifetime().nanos()),
                              .limit_usd_nanos = request.limit_usd_nanos()};
  if (request.has_traits()) issue.traits = TraitsFromProto(request.intent(), request.traits());
  return issue;
}

Scopes ScopesFromProto(const ledger::v1::ScopePath& scopes) {
  return {.project = scopes.project(),
          .plan = scopes.plan(),
          .task = scopes.task(),
          .attempt = scopes.attempt(),
          .role = scopes.role()};
}

ledger::v1::ScopePath ScopesToProto(const Scopes& scopes) {
  ledger::v1::ScopePath proto;
  proto.set_project(scopes.project);
  proto.set_plan(scopes.plan);
  proto.set_task(scopes.task);
  proto.set_attempt(scopes.attempt);
  proto.set_role(scopes.role);
  return proto;
}

ledger::v1::TokenCounts TokensToProto(const TokenCounts& tokens) {
  ledger::v1::TokenCounts proto;
  proto.set_input(tokens.input);
  proto.set_cache_read(tokens.cache_read);
  proto.set_cache_write(tokens.cache_write);
  proto.set_cache_write_long(tokens.cache_write_long);
  proto.set_searches(tokens.searches);
  proto.set_output(tokens.output);
  proto.set_reasoning(tokens.reasoning);
  return proto;
}

v1::GenerateResponse::Outcome OutcomeToProto(const CallOutcome& outcome) {
  v1::GenerateResponse::Outcome proto;
  proto.set_provider(outcome.provider);
  proto.set_model(outcome.model);
  proto.set_service_tier(outcome.service_tier);
  *proto.mutable_tokens() = TokensToProto(outcome.tokens);
  proto.set_cost_usd_nanos(outcome.cost_usd_nanos);
  proto.set_finish_reason(outcome.finish_reason);
  proto.set_call(absl::StrCat("calls/", outcome.call));
  return proto;
}

v1::Call CallToProto(const CallRecord& record) {
  v1::Call proto;
  proto.set_name(absl::StrCat("calls/", record.id));
  proto.set_call_id(record.call_id);
  *proto.mutable_start_time() = rpc::ToProto(record.start_time);
  if (record.end_time.has_value()) *proto.mutable_end_time() = rpc::ToProto(*record.end_time);
  *proto.mutable_scopes() = ScopesToProto(record.scopes);
  proto.set_intent(record.intent);
  proto.set_provider(record.provider);
  proto.set_model(record.model);
  proto.set_service_tier(record.service_tier);
  proto.set_outcome(record.outcome);
  proto.set_reason(record.reason);
  *proto.mutable_tokens() = TokensToProto(record.tokens);
  proto.set_cost_usd_nanos(record.charge_usd_nanos);
  for (const std::string& reason : record.route_reasons) proto.add_route_reasons(reason);
  return proto;
}

v1::RoleDecision DecisionToProto(const RoleDecision& decision) {
  v1::RoleDecision proto;
  proto.set_attempt(decision.scopes.attempt);
  *proto.mutable_time() = rpc::ToProto(decision.time);
  proto.set_named_role(decision.named_role);
  proto.set_role(decision.scopes.role);
  proto.set_intent(decision.traits.intent);
  *proto.mutable_traits() = TraitsToProto(decision.traits);
  for (const std::string& reason : decision.reasons) proto.add_reasons(reason);
  return proto;
}

v1::Route RouteToProto(const Route& route) {
  v1::Route proto;
  proto.set_role(route.role);
  proto.set_position(route.position);
  proto.set_provider(route.provider);
  proto.set_model(route.model);
  proto.set_service_tier(route.service_tier);
  proto.set_reasoning_effort(route.reasoning_effort);
  proto.set_input_tokens_max(route.input_tokens_max);
  proto.set_output_tokens_max(route.output_tokens_max);
  proto.mutable_call_timeout()->set_seconds(absl::ToInt64Seconds(route.call_timeout));
  proto.set_manual_approval(route.manual_approval);
  proto.set_context_characters_max(route.context_characters_max);
  proto.set_calibrated_holds(route.calibrated_holds);
  return proto;
}

v1::InputCalibration CalibrationToProto(const InputCalibration& calibration) {
  v1::InputCalibration proto;
  proto.set_provider(calibration.provider);
  proto.set_model(calibration.model);
  proto.set_content(calibration.content);
  proto.set_calls(calibration.calls);
  proto.set_bound_tokens(calibration.bound_tokens);
  proto.set_counted_tokens(calibration.counted_tokens);
  proto.set_worst_per_mille(calibration.worst_per_mille);
  return proto;
}

v1::Gate GateToProto(const Gate& gate) {
  v1::Gate proto;
  proto.set_name(gate.name);
  proto.set_cause(gate.cause);
  if (gate.until.has_value()) *proto.mutable_until_time() = rpc::ToProto(*gate.until);
  proto.set_detail(gate.detail);
  return proto;
}

}  // namespace slipway::models
