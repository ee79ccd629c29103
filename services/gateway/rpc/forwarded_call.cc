#include "services/gateway/rpc/forwarded_call.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace slipway::gateway {
namespace {

// What is between two neighbours, is the gateway's to say, or is the caller's secret.
bool PassesOn(absl::string_view key) {
  return !absl::StartsWith(key, ":") && !absl::StartsWith(key, "grpc-") &&
         !absl::StartsWith(key, "slipway-") && key != "authorization" && key != "cookie" &&
         key != "user-agent" && key != "content-type" && key != "te" && key != "host";
}

std::string Text(const grpc::string_ref& text) { return std::string(text.data(), text.size()); }

}  // namespace

grpc::ServerGenericBidiReactor* ForwardedCall::Start(Gatekeeper& gatekeeper,
                                                     std::unique_ptr<Admission> admission,
                                                     grpc::GenericCallbackServerContext& context) {
  auto* const call = new ForwardedCall(gatekeeper, std::move(admission), context);
  return &call->caller_;
}

ForwardedCall::ForwardedCall(Gatekeeper& gatekeeper, std::unique_ptr<Admission> admission,
                             grpc::GenericCallbackServerContext& context)
    : gatekeeper_(gatekeeper),
      admission_(std::move(admission)),
      context_(context),
      stub_(admission_->channel) {
  grpc::ClientContext& upstream = admission_->call->context;
  for (const auto& [key, value] : context.client_metadata()) {
    const std::string name = Text(key);
    if (PassesOn(name)) upstream.AddMetadata(name, Text(value));
  }
  stub_.PrepareBidiStreamingCall(&upstream, context.method(), {}, &backend_);
  backend_.AddMultipleHolds(2);
  caller_.StartRead(&request_);
  backend_.StartRead(&response_);
  backend_.StartCall();
}

void ForwardedCall::OnRequest(bool ok) {
  base::MutexLock lock(mutex_);
  if (requests_ == Requests::kEnded) return;
  requests_ = Requests::kPassing;
  ok ? backend_.StartWrite(&request_) : backend_.StartWritesDone();
}

void ForwardedCall::OnRequestPassed(bool ok) {
  {
    base::MutexLock lock(mutex_);
    if (ok && !responses_ended_) {
      requests_ = Requests::kReading;
      return caller_.StartRead(&request_);
    }
    requests_ = Requests::kEnded;
  }
  backend_.RemoveHold();
}

void ForwardedCall::OnResponse(bool ok) {
  if (ok) return caller_.StartWrite(&response_);
  bool requests_end_too = false;
  {
    base::MutexLock lock(mutex_);
    responses_ended_ = true;
    requests_end_too = requests_ == Requests::kReading;
    if (requests_end_too) requests_ = Requests::kEnded;
  }
  if (requests_end_too) backend_.RemoveHold();
  backend_.RemoveHold();
}

// Reads on even when the caller is gone, to learn that the backend's side has ended.
void ForwardedCall::OnResponsePassed(bool ok) {
  if (!ok) admission_->call->context.TryCancel();
  backend_.StartRead(&response_);
}

void ForwardedCall::OnBackendDone(const grpc::Status& status) {
  for (const auto& [key, value] : admission_->call->context.GetServerTrailingMetadata()) {
    // gRPC makes the key of the details from the status itself.
    const std::string name = Text(key);
    if (PassesOn(name)) context_.AddTrailingMetadata(name, Text(value));
  }
  caller_.Finish(gatekeeper_.Conclude(*admission_, status));
  OnSideDone();
}

void ForwardedCall::OnSideDone() {
  if (--sides_ == 0) delete this;
}

}  // namespace slipway::gateway
