#include "services/gateway/http/json_call.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "lib/rpc/status.h"
#include "services/gateway/domain/errors.h"
#include "services/gateway/http/credentials.h"
#include "services/gateway/http/json_error.h"

namespace slipway::gateway {
namespace {

using google::protobuf::Message;
using google::protobuf::MessageFactory;

// One call: alive until the service has answered.
struct JsonCall {
  Gatekeeper& gatekeeper;
  std::unique_ptr<Admission> admission;
  std::shared_ptr<http::ResponseWriter> writer;
  http::Headers headers;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
};

std::unique_ptr<Message> NewMessage(const google::protobuf::Descriptor& descriptor) {
  return std::unique_ptr<Message>(
      MessageFactory::generated_factory()->GetPrototype(&descriptor)->New());
}

grpc::Status ToBytes(const google::protobuf::Descriptor& descriptor, const std::string& json,
                     grpc::ByteBuffer& bytes) {
  const std::unique_ptr<Message> message = NewMessage(descriptor);
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(json.empty() ? "{}" : json, message.get());
  if (!parsed.ok()) {
    return rpc::ToGrpcStatus(BodyInvalid(std::string(parsed.message()).substr(0, 500)));
  }
  const grpc::Slice slice(message->SerializeAsString());
  bytes = grpc::ByteBuffer(&slice, 1);
  return grpc::Status::OK;
}

grpc::Status ToJson(const google::protobuf::Descriptor& descriptor, const grpc::ByteBuffer& bytes,
                    std::string& json) {
  const std::unique_ptr<Message> message = NewMessage(descriptor);
  std::vector<grpc::Slice> slices;
  std::string joined;
  if (bytes.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices) {
      joined.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }
  if (!message->ParseFromString(joined) ||
      !google::protobuf::util::MessageToJsonString(*message, &json).ok()) {
    return rpc::ToGrpcStatus(absl::InternalError("the answer of a service is no message"));
  }
  return grpc::Status::OK;
}

absl::Duration TimeoutOf(const http::Request& request) {
  int64_t milliseconds = 0;
  if (!absl::SimpleAtoi(request.headers.Get("Connect-Timeout-Ms"), &milliseconds)) {
    return absl::InfiniteDuration();
  }
  return absl::Milliseconds(milliseconds);
}

bool IsJson(const http::Request& request) {
  const absl::string_view type = request.headers.Get("Content-Type");
  return absl::EqualsIgnoreCase(type, "application/json") ||
         absl::StartsWithIgnoreCase(type, "application/json;");
}

void AnswerCall(JsonCall& call, const grpc::Status& status) {
  std::string json;
  grpc::Status told = status;
  if (told.ok()) {
    told = ToJson(*call.admission->method->descriptor->output_type(), call.response, json);
  }
  told = call.gatekeeper.Conclude(*call.admission, told);
  if (!told.ok()) return SendJsonError(*call.writer, told, std::move(call.headers));
  call.headers.Set("Content-Type", "application/json");
  call.writer->Send(200, std::move(call.headers), std::move(json));
}

}  // namespace

void ServeJsonCall(Gatekeeper& gatekeeper, const MethodTable& methods, const http::Request& request,
                   std::shared_ptr<http::ResponseWriter> writer, http::Headers headers) {
  const Method* const method = methods.Find(request.path);
  if (method != nullptr && method->streams() && !method->for_services_only()) {
    return SendJsonError(*writer, MethodStreams(method->name), std::move(headers));
  }
  if (!IsJson(request)) {
    headers.Set("Accept-Post", "application/json");
    headers.Set("Content-Type", "application/json");
    return writer->Send(
        415, std::move(headers),
        JsonErrorBody(rpc::ToGrpcStatus(BodyInvalid("send Content-Type: application/json"))));
  }
  absl::StatusOr<std::unique_ptr<Admission>> admission =
      gatekeeper.Admit(request.path, SecretOf(request), TimeoutOf(request));
  if (!admission.ok()) return SendJsonError(*writer, admission.status(), std::move(headers));
  auto call = std::make_shared<JsonCall>(JsonCall{.gatekeeper = gatekeeper,
                                                  .admission = *std::move(admission),
                                                  .writer = std::move(writer),
                                                  .headers = std::move(headers),
                                                  .request = {},
                                                  .response = {}});
  const grpc::Status parsed =
      ToBytes(*call->admission->method->descriptor->input_type(), request.body, call->request);
  if (!parsed.ok()) return AnswerCall(*call, parsed);
  call->writer->OnDisconnect([active = std::weak_ptr<ActiveCall>(call->admission->call)] {
    if (const std::shared_ptr<ActiveCall> gone = active.lock()) gone->context.TryCancel();
  });
  grpc::GenericStub(call->admission->channel)
      .UnaryCall(&call->admission->call->context, request.path, {}, &call->request, &call->response,
                 [call](const grpc::Status& status) { AnswerCall(*call, status); });
}

}  // namespace slipway::gateway
