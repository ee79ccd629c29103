#include "services/planner/rpc/grpc_model_client.h"

#include <utility>

#include "absl/status/status.h"
#include "lib/base/status_macros.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/status.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/plan_schema.h"
#include "services/planner/rpc/service_identity.h"

namespace slipway::planner {
namespace {

// Routes have their own limit; this one only ends a call whose server is gone without a word.
constexpr absl::Duration kGenerateTimeout = absl::Minutes(30);
constexpr absl::Duration kPriceTimeout = absl::Seconds(5);

metrics::Counter calls({.name = "slipway_planner_model_calls_total",
                        .description = "Calls for plans, by the code that they ended with.",
                        .labels = {"code"}});

models::v1::GenerateRequest RequestOf(const PlanCall& call) {
  models::v1::GenerateRequest request;
  request.set_call_id(call.call_id);
  request.set_role(call.role);
  request.mutable_scopes()->set_project(call.project);
  request.mutable_scopes()->set_plan(call.plan);
  for (const PromptTurn& turn : call.turns) {
    models::v1::PromptMessage* const message = request.add_messages();
    message->set_speaker(static_cast<models::v1::PromptMessage::Speaker>(turn.speaker));
    message->set_text(turn.text);
  }
  request.set_response_schema(kPlanSchema);
  request.set_output_tokens_max(call.output_tokens_max);
  request.set_intent("plan");
  return request;
}

// Ends the registration before the context that it refers to goes.
class CancelScope final {
 public:
  CancelScope(Cancellation& cancellation, grpc::ClientContext& context)
      : cancellation_(cancellation) {
    cancellation_.OnCancel([&context] { context.TryCancel(); });
  }
  ~CancelScope() { cancellation_.Forget(); }

 private:
  Cancellation& cancellation_;
};

}  // namespace

absl::StatusOr<ModelReply> GrpcModelClient::Generate(const PlanCall& call,
                                                     Cancellation& cancellation) {
  grpc::ClientContext context;
  RETURN_IF_ERROR(rpc::PrepareContext(AsPlanner(kGenerateTimeout), context));
  const CancelScope scope(cancellation, context);
  const std::unique_ptr<grpc::ClientReaderInterface<models::v1::GenerateResponse>> stream =
      stub_->Generate(&context, RequestOf(call));
  ModelReply reply;
  bool ended = false;
  bool too_large = false;
  models::v1::GenerateResponse response;
  while (stream->Read(&response)) {
    if (response.has_outcome()) {
      ended = true;
      reply.cut = response.outcome().finish_reason() == "length";
    } else if (!too_large) {
      reply.text += response.text();
      // The rest is read and dropped: the call is paid for, and its outcome belongs to the record.
      too_large = reply.text.size() > kReplyBytesMax;
    }
  }
  const absl::Status finished = rpc::FromGrpcStatus(stream->Finish());
  calls.Increment({rpc::CodeName(finished.code())});
  RETURN_IF_ERROR(finished);
  if (!ended) return absl::UnavailableError("the reply ended without its outcome");
  return reply;
}

absl::StatusOr<int64_t> GrpcModelClient::Price(const std::string& role,
                                               const TokenEstimate& tokens) {
  models::v1::EstimateRequest request;
  request.set_role(role);
  request.set_input_tokens(tokens.input);
  request.set_output_tokens(tokens.output);
  ASSIGN_OR_RETURN(const models::v1::EstimateResponse response,
                   rpc::CallUnary(*stub_, &models::v1::ModelsService::StubInterface::Estimate,
                                  request, AsPlanner(kPriceTimeout)));
  return response.cost_usd_nanos();
}

}  // namespace slipway::planner
