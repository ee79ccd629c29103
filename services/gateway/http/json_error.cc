#include "services/gateway/http/json_error.h"

#include <google/protobuf/any.pb.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/strip.h"
#include "google/rpc/status.pb.h"
#include "lib/base/error.h"
#include "lib/rpc/status.h"

namespace slipway::gateway {
namespace {

constexpr absl::string_view kTypePrefix = "type.googleapis.com/";

// As the Connect protocol maps them.
int HttpStatusOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return 200;
    case grpc::StatusCode::CANCELLED:
      return 499;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::OUT_OF_RANGE:
      return 400;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return 504;
    case grpc::StatusCode::NOT_FOUND:
      return 404;
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::ABORTED:
      return 409;
    case grpc::StatusCode::PERMISSION_DENIED:
      return 403;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return 429;
    case grpc::StatusCode::UNIMPLEMENTED:
      return 501;
    case grpc::StatusCode::UNAVAILABLE:
      return 503;
    case grpc::StatusCode::UNAUTHENTICATED:
      return 401;
    default:
      return 500;
  }
}

std::string ConnectCode(grpc::StatusCode code) {
  if (code == grpc::StatusCode::CANCELLED) return "canceled";  // Connect spells it so.
  return absl::AsciiStrToLower(rpc::CodeName(static_cast<absl::StatusCode>(code)));
}

nlohmann::json DetailsOf(const grpc::Status& status) {
  nlohmann::json details = nlohmann::json::array();
  google::rpc::Status wire;
  if (!wire.ParseFromString(status.error_details())) return details;
  const std::optional<base::ErrorDetail> known = base::DetailOf(rpc::FromGrpcStatus(status));
  for (const google::protobuf::Any& any : wire.details()) {
    const std::string type(absl::StripPrefix(any.type_url(), kTypePrefix));
    // Connect wants base64 without padding.
    std::string value = absl::Base64Escape(any.value());
    value.resize(value.find_last_not_of('=') + 1);
    nlohmann::json detail = {{"type", type}, {"value", value}};
    if (known.has_value() && type == "google.rpc.ErrorInfo") {
      detail["debug"] = {{"reason", known->reason}, {"metadata", known->metadata}};
    } else if (known.has_value() && known->retry_after.has_value() &&
               type == "google.rpc.RetryInfo") {
      detail["debug"] = {{"retryDelaySeconds", absl::ToDoubleSeconds(*known->retry_after)}};
    }
    details.push_back(std::move(detail));
  }
  return details;
}

}  // namespace

std::string JsonErrorBody(const grpc::Status& status) {
  nlohmann::json body = {{"code", ConnectCode(status.error_code())},
                         {"message", status.error_message()}};
  nlohmann::json details = DetailsOf(status);
  if (!details.empty()) body["details"] = std::move(details);
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void SendJsonError(http::ResponseWriter& writer, const grpc::Status& status,
                   http::Headers headers) {
  headers.Set("Content-Type", "application/json");
  writer.Send(HttpStatusOf(status.error_code()), std::move(headers), JsonErrorBody(status));
}

void SendJsonError(http::ResponseWriter& writer, const absl::Status& status,
                   http::Headers headers) {
  SendJsonError(writer, rpc::ToGrpcStatus(status), std::move(headers));
}

}  // namespace slipway::gateway
