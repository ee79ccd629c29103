#include "services/models/proxy/wire_reply.h"

#include <utility>

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
  if (!open_) return Open(std::string(bytes));
  Write(bytes);
}

void WireReply::OnLastText(absl::string_view bytes) { body_.append(bytes.data(), bytes.size()); }

bool WireReply::HasRoom() {
  base::MutexLock lock(mutex_);
  return !waiting_;
}

void WireReply::OnRoom(absl::AnyInvocable<void()> callback) {
  {
    base::MutexLock lock(mutex_);
    if (waiting_) {
      on_room_ = std::move(callback);
      return;
    }
  }
  callback();
}

void WireReply::OnComplete() {
  complete_ = true;
  if (!stream_) return writer_->Send(200, CallHeaders(), std::move(body_));
  if (!open_) Open(std::exchange(body_, ""));
  Finish();
}

void WireReply::End(const absl::StatusOr<CallOutcome>& outcome) {
  if (complete_) return;
  if (outcome.ok()) return OnComplete();
  if (stream_ && !open_ && !body_.empty()) Open(std::exchange(body_, ""));
  if (!open_) return SendRefusal(*writer_, dialect_, outcome.status());
  if (!error_passed_on_) body_ += ComposeErrorFrame(dialect_, outcome.status());
  Finish();
}

void WireReply::Open(std::string first) {
  open_ = true;
  writer_->Start(200, CallHeaders(), std::move(first));
}

void WireReply::Write(absl::string_view bytes) {
  {
    base::MutexLock lock(mutex_);
    if (waiting_) {
      pending_.append(bytes.data(), bytes.size());
      return;
    }
  }
  if (writer_->Write(std::string(bytes)) != http::ResponseWriter::Accepted::kFull) return;
  {
    base::MutexLock lock(mutex_);
    waiting_ = true;
    pending_ = std::string(bytes);
  }
  AwaitRoom();
}

void WireReply::Finish() {
  {
    base::MutexLock lock(mutex_);
    finished_ = true;
    if (waiting_) {
      pending_ += body_;
      return;
    }
  }
  writer_->Finish(std::move(body_));
}

// Ends when the peer is gone, too; the server sees to that for one that reads nothing.
void WireReply::AwaitRoom() {
  writer_->OnWritable([self = shared_from_this()] { self->Flush(); });
}

void WireReply::Flush() {
  absl::AnyInvocable<void()> on_room;
  bool finished = false;
  for (bool empty = false; !empty;) {
    std::string bytes;
    {
      base::MutexLock lock(mutex_);
      std::swap(bytes, pending_);
    }
    if (!bytes.empty() && writer_->Write(bytes) == http::ResponseWriter::Accepted::kFull) {
      {
        base::MutexLock lock(mutex_);
        pending_.insert(0, bytes);
      }
      return AwaitRoom();
    }
    base::MutexLock lock(mutex_);
    empty = pending_.empty();
    if (!empty) continue;
    waiting_ = false;
    finished = finished_;
    std::swap(on_room, on_room_);
  }
  if (finished) writer_->Finish();
  if (on_room) on_room();
}

http::Headers WireReply::CallHeaders() const {
  return {{"Content-Type", stream_ ? "text/event-stream" : "application/json"},
          {"Cache-Control", "no-store"},
          {"x-slipway-call", call_},
          {"x-slipway-output-tokens-max", absl::StrCat(output_tokens_max_)}};
}

}  // namespace slipway::models
