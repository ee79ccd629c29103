#include "services/gateway/rpc/forwarding_service.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/rpc/status.h"
#include "lib/rpc/steady_time.h"
#include "services/gateway/rpc/forwarded_call.h"

namespace slipway::gateway {
namespace {

class RefusedCall final : public grpc::ServerGenericBidiReactor {
 public:
  explicit RefusedCall(const absl::Status& status) { Finish(rpc::ToGrpcStatus(status)); }

 private:
  void OnDone() override { delete this; }
};

std::optional<std::string> BearerOf(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return std::nullopt;
  absl::string_view value(found->second.data(), found->second.size());
  if (!absl::StartsWithIgnoreCase(value, "bearer ")) return std::nullopt;
  value.remove_prefix(sizeof("bearer ") - 1);
  return std::string(absl::StripAsciiWhitespace(value));
}

}  // namespace

grpc::ServerGenericBidiReactor* ForwardingService::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  absl::StatusOr<std::unique_ptr<Admission>> admission =
      gatekeeper_.Admit(context->method(), BearerOf(*context), rpc::TimeLeft(*context));
  if (!admission.ok()) return new RefusedCall(admission.status());
  return ForwardedCall::Start(gatekeeper_, *std::move(admission), *context);
}

}  // namespace slipway::gateway
