#include "services/models/proxy/wire_reply.h"

#include "absl/strings/str_cat.h"
#include "lib/log/log.h"
#include "services/models/wire/refusal.h"

namespace slipway::models {

void SendRefusal(http::ResponseWriter& writer, Dialect dialect, const absl::Status& error) {
  Refusal refusal = ComposeRefusal(dialect, error);
  if (refusal.status == 500) log::Error("a proxied call failed", {{"error", error.message()}});
  writer.Send(refusal.status, std::move(refusal.headers), std::move(refusal.body));
}

void WireReply::OnGranted(const std::string& call, int64_t output_tokens_max) {
  call_ = call;
  output_tokens_max_ = output_tokens_max;
}

void WireReply::OnText(absl::string_view bytes) {
  if (!stream_) {
    body_.append(bytes.data(), bytes.size());
    return;
  }
  Open();
  Write(std::string(bytes));
}

void WireReply::End(const absl::StatusOr<CallOutcome>& outcome) {
  if (!outcome.ok()) {
    if (!open_) return SendRefusal(*writer_, dialect_, outcome.status());
    if (!error_passed_on_) Write(ComposeErrorFrame(dialect_, outcome.status()));
    return writer_->Finish();
  }
  if (!stream_) return writer_->Send(200, CallHeaders(), std::move(body_));
  Open();
  writer_->Finish();
}

void WireReply::Open() {
  if (open_) return;
  open_ = true;
  writer_->Start(200, CallHeaders());
}

void WireReply::Write(std::string bytes) {
  while (writer_->Write(bytes) == http::ResponseWriter::Accepted::kFull) AwaitRoom();
}

// Ends when the peer is gone, too; the server sees to that for one that reads nothing.
void WireReply::AwaitRoom() {
  struct Room {
    base::Mutex mutex;
    base::CondVar changed;
    bool found ABSL_GUARDED_BY(mutex) = false;
  };
  const auto room = std::make_shared<Room>();
  writer_->OnWritable([room] {
    base::MutexLock lock(room->mutex);
    room->found = true;
    room->changed.NotifyAll();
  });
  base::MutexLock lock(room->mutex);
  while (!room->found) room->changed.Wait(room->mutex);
}

http::Headers WireReply::CallHeaders() const {
  return {{"Content-Type", stream_ ? "text/event-stream" : "application/json"},
          {"Cache-Control", "no-store"},
          {"x-slipway-call", call_},
          {"x-slipway-output-tokens-max", absl::StrCat(output_tokens_max_)}};
}

}  // namespace slipway::models
