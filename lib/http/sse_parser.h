#pragma once

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace slipway::http {

struct SseEvent {
  std::string event;  // "message" unless the stream names it.
  std::string data;   // Lines joined by '\n'.
  std::string id;     // The last one seen; empty when there was none.
};

// Reads a text/event-stream in pieces that may be cut anywhere, as the WHATWG standard says. Not
// thread-safe.
class SseParser final {
 public:
  // `event_bytes_max` bounds one event and one line.
  explicit SseParser(size_t event_bytes_max = 16u << 20) : event_bytes_max_(event_bytes_max) {}

  // Calls `on_event` for each event that `bytes` completes. Fails with SSE_EVENT_TOO_LARGE, then
  // and for every later call.
  absl::Status Feed(absl::string_view bytes, absl::FunctionRef<void(SseEvent)> on_event);

  const std::string& last_event_id() const { return last_event_id_; }
  // The last reconnection delay that the stream asked for.
  std::optional<absl::Duration> retry() const { return retry_; }

 private:
  void TakeLine(absl::FunctionRef<void(SseEvent)> on_event);
  void TakeField(absl::string_view name, absl::string_view value);

  const size_t event_bytes_max_;
  std::string line_;
  bool first_line_ = true;
  bool after_carriage_return_ = false;
  bool failed_ = false;
  std::string event_;
  std::string data_;
  std::string last_event_id_;
  std::optional<absl::Duration> retry_;
};

// One event on the wire. An empty `event` or `id` is left out; line breaks in them are dropped,
// those in `data` are kept..
std::string SseFrame(absl::string_view event, absl::string_view data, absl::string_view id = "");

// A comment, which keeps an idle stream from looking dead.
inline constexpr absl::string_view kSseHeartbeat = ":\n\n";

}  // namespace slipway::http
