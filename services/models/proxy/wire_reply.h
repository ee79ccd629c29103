#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "lib/http/response_writer.h"
#include "services/models/domain/call.h"
#include "services/models/domain/reply_sink.h"

namespace slipway::models {

// Turns the reply of a call into an HTTP response: nothing is sent before the first bytes, so that
// every refusal has a status of its own. What a slow reader has no room for waits here, and the
// reply then says that it has no room. Never blocks. Held by a shared pointer.
class WireReply final : public ReplySink, public std::enable_shared_from_this<WireReply> {
 public:
  using Writer = std::shared_ptr<http::ResponseWriter>;

  WireReply(Writer writer, Dialect dialect, bool stream)
      : writer_(std::move(writer)), dialect_(dialect), stream_(stream) {}

  void OnGranted(const std::string& call, int64_t output_tokens_max) override;
  void OnText(absl::string_view bytes) override;
  void OnLastText(absl::string_view bytes) override;
  bool HasRoom() override;
  void OnRoom(absl::AnyInvocable<void()> callback) override;
  void OnComplete() override;
  void OnErrorPassedOn() override { error_passed_on_ = true; }

  void End(const absl::StatusOr<CallOutcome>& outcome);

 private:
  void Open(std::string first);
  void Write(absl::string_view bytes);
  void Finish();
  void AwaitRoom();
  // Writes what waits; on the connection's thread.
  void Flush();
  http::Headers CallHeaders() const;

  const Writer writer_;
  const Dialect dialect_;
  const bool stream_;
  // Of the call, which is in one thread at a time.
  std::string call_;
  int64_t output_tokens_max_ = 0;
  std::string body_;  // Of a whole reply; of a stream, what goes with its end.
  bool open_ = false;
  bool complete_ = false;
  bool error_passed_on_ = false;

  base::Mutex mutex_;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;  // For room; only Flush writes meanwhile.
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::string pending_ ABSL_GUARDED_BY(mutex_);
  absl::AnyInvocable<void()> on_room_ ABSL_GUARDED_BY(mutex_);
};

// Answers with an error in the dialect's form.
void SendRefusal(http::ResponseWriter& writer, Dialect dialect, const absl::Status& error);

}  // namespace slipway::models
