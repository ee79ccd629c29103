#include "services/reviewer/rpc/grpc_model_client.h"

#include "lib/base/status_macros.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/status.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {
namespace {

models::v1::GenerateRequest RequestOf(const ModelRequest& request) {
  using models::v1::PromptMessage;
  models::v1::GenerateRequest message;
  message.set_call_id(request.call_id);
  message.set_role(request.role);
  message.mutable_scopes()->set_project(request.project);
  message.mutable_scopes()->set_plan(request.plan);
  message.mutable_scopes()->set_task(request.task);
  message.mutable_scopes()->set_attempt(request.attempt);
  PromptMessage& system = *message.add_messages();
  system.set_speaker(PromptMessage::SPEAKER_SYSTEM);
  system.set_text(request.system);
  for (const ModelTurn& turn : request.turns) {
    PromptMessage& added = *message.add_messages();
    added.set_speaker(turn.assistant ? PromptMessage::SPEAKER_ASSISTANT
                                     : PromptMessage::SPEAKER_USER);
    added.set_text(turn.text);
  }
  message.set_response_schema(request.response_schema);
  message.set_intent(request.intent);
  return message;
}

}  // namespace

absl::StatusOr<std::string> GrpcModelClient::Generate(const ModelRequest& request) {
  grpc::ClientContext context;
  RETURN_IF_ERROR(rpc::PrepareContext(
      {.timeout = kModelTimeout, .principal = "reviewer", .role = "service"}, context));
  const std::unique_ptr<grpc::ClientReaderInterface<models::v1::GenerateResponse>> stream =
      stub_->Generate(&context, RequestOf(request));
  std::string text;
  bool ended = false;
  models::v1::GenerateResponse response;
  while (stream->Read(&response)) {
    if (response.has_outcome()) {
      ended = true;
    } else if (text.size() <= kCriticReplyBytesMax) {
      // The rest is read and dropped: the call is paid for, and the parser refuses the reply.
      text += response.text();
    }
  }
  RETURN_IF_ERROR(rpc::FromGrpcStatus(stream->Finish()));
  if (!ended) return absl::UnavailableError("the reply ended without its outcome");
  return text;
}

}  // namespace slipway::reviewer
