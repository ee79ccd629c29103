#include "services/gateway/http/event_stream.h"

#include <google/protobuf/util/json_util.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/http/sse_parser.h"
#include "services/gateway/http/credentials.h"
#include "services/gateway/http/json_error.h"

namespace slipway::gateway {
namespace {

using events::v1::WatchRequest;
using events::v1::WatchResponse;

constexpr char kWatch[] = "/slipway.events.v1.EventLogService/Watch";

std::string Json(const google::protobuf::Message& message) {
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(message, &json);
  return printed.ok() ? json : "{}";
}

WatchRequest RequestOf(const http::Request& request) {
  WatchRequest watch;
  events::v1::EventFilter& filter = *watch.mutable_filter();
  filter.set_project(request.QueryParameter("project").value_or(""));
  filter.set_plan(request.QueryParameter("plan").value_or(""));
  filter.set_task(request.QueryParameter("task").value_or(""));
  for (absl::string_view kind :
       absl::StrSplit(request.QueryParameter("kinds").value_or(""), ',', absl::SkipEmpty())) {
    filter.add_kinds(std::string(kind));
  }
  for (absl::string_view log :
       absl::StrSplit(request.QueryParameter("logs").value_or(""), ',', absl::SkipEmpty())) {
    filter.add_logs(std::string(log));
  }
  watch.set_resume_token(std::string(request.headers.Get("Last-Event-ID")));
  if (watch.resume_token().empty()) {
    watch.set_resume_token(request.QueryParameter("resume_token").value_or(""));
  }
  watch.set_only_new(request.QueryParameter("only_new").value_or("") == "true");
  return watch;
}

std::string FramesOf(const WatchResponse& response) {
  std::string frames;
  for (int index = 0; index < response.events_size(); ++index) {
    const bool last = index + 1 == response.events_size();
    absl::StrAppend(&frames, http::SseFrame("", Json(response.events(index)),
                                            last ? response.resume_token() : ""));
  }
  if (!frames.empty()) return frames;
  WatchResponse bookmark = response;
  bookmark.clear_resume_token();
  return http::SseFrame("bookmark", Json(bookmark), response.resume_token());
}

}  // namespace

void EventStream::Serve(Gatekeeper& gatekeeper, Tickets& tickets, const http::Request& request,
                        std::shared_ptr<http::ResponseWriter> writer, http::Headers headers) {
  std::optional<std::string> secret = SecretOf(request);
  if (const std::optional<std::string> ticket = request.QueryParameter("ticket")) {
    absl::StatusOr<std::string> redeemed = tickets.Redeem(*ticket);
    if (!redeemed.ok()) return SendJsonError(*writer, redeemed.status(), std::move(headers));
    secret = *std::move(redeemed);
  }
  absl::StatusOr<std::unique_ptr<Admission>> admission =
      gatekeeper.Admit(kWatch, secret, absl::InfiniteDuration());
  if (!admission.ok()) return SendJsonError(*writer, admission.status(), std::move(headers));
  std::shared_ptr<EventStream> stream(new EventStream(gatekeeper, *std::move(admission),
                                                      RequestOf(request), std::move(writer),
                                                      std::move(headers)));
  stream->self_ = stream;
  stream->Begin();
}

EventStream::EventStream(Gatekeeper& gatekeeper, std::unique_ptr<Admission> admission,
                         WatchRequest request, std::shared_ptr<http::ResponseWriter> writer,
                         http::Headers headers)
    : gatekeeper_(gatekeeper),
      admission_(std::move(admission)),
      stub_(events::v1::EventLogService::NewStub(admission_->channel)),
      request_(std::move(request)),
      writer_(std::move(writer)),
      headers_(std::move(headers)) {}

void EventStream::Begin() {
  writer_->OnDisconnect([active = std::weak_ptr<ActiveCall>(admission_->call)] {
    if (const std::shared_ptr<ActiveCall> gone = active.lock()) gone->context.TryCancel();
  });
  stub_->async()->Watch(&admission_->call->context, &request_, this);
  // Reads also start when the writer has room again.
  AddHold();
  StartRead(&response_);
  StartCall();
}

void EventStream::OnReadDone(bool ok) {
  if (!ok) return RemoveHold();
  const std::shared_ptr<EventStream> self = shared_from_this();
  if (!started_) {
    started_ = true;
    http::Headers headers = headers_;
    headers.Set("Content-Type", "text/event-stream");
    headers.Set("X-Accel-Buffering", "no");  // Proxies that buffer would hold events back.
    writer_->Start(200, std::move(headers));
  }
  chunk_ = FramesOf(response_);
  Write();
}

// One of Write, a read and a wait for room is under way at any time.
void EventStream::Write() {
  switch (writer_->Write(chunk_)) {
    case http::ResponseWriter::Accepted::kTaken:
      if (writer_->writable()) return StartRead(&response_);
      return writer_->OnWritable(
          [self = shared_from_this()] { self->StartRead(&self->response_); });
    case http::ResponseWriter::Accepted::kFull:
      return writer_->OnWritable([self = shared_from_this()] { self->Write(); });
    case http::ResponseWriter::Accepted::kClosed:
      admission_->call->context.TryCancel();
      return StartRead(&response_);  // Which tells that the Watch has ended.
  }
}

void EventStream::OnDone(const grpc::Status& status) {
  const std::shared_ptr<EventStream> self = std::move(self_);
  const grpc::Status told = gatekeeper_.Conclude(*admission_, status);
  if (started_) {
    writer_->Write(http::SseFrame("end", JsonErrorBody(told)));
    writer_->Finish();
  } else {
    SendJsonError(*writer_, told, std::move(headers_));
  }
  writer_ = nullptr;
}

}  // namespace slipway::gateway
