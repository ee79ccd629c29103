#include "lib/http/sse_parser.h"

#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"

namespace slipway::http {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

// "\r\n", "\r" and "\n" all end a line.
std::string NormalizeLineBreaks(absl::string_view text) {
  return absl::StrReplaceAll(absl::StrReplaceAll(text, {{"\r\n", "\n"}}), {{"\r", "\n"}});
}

}  // namespace

absl::Status SseParser::Feed(absl::string_view bytes, absl::FunctionRef<void(SseEvent)> on_event) {
  while (!failed_ && !bytes.empty()) {
    if (std::exchange(after_carriage_return_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const size_t end = bytes.find_first_of("\r\n");
    const absl::string_view part = bytes.substr(0, end);
    if (line_.size() + data_.size() + part.size() > event_bytes_max_) {
      failed_ = true;
      break;
    }
    line_.append(part.data(), part.size());
    if (end == absl::string_view::npos) return absl::OkStatus();
    after_carriage_return_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    TakeLine(on_event);
  }
  if (!failed_) return absl::OkStatus();
  return base::Error(absl::StatusCode::kResourceExhausted, "SSE_EVENT_TOO_LARGE",
                     absl::StrCat("an event of the stream is over ", event_bytes_max_, " bytes"));
}

void SseParser::TakeLine(absl::FunctionRef<void(SseEvent)> on_event) {
  const std::string taken = std::exchange(line_, "");
  absl::string_view line = taken;
  if (std::exchange(first_line_, false)) absl::ConsumePrefix(&line, kByteOrderMark);
  if (line.empty()) {
    SseEvent event = {.event = std::exchange(event_, ""), .data = std::exchange(data_, "")};
    if (event.data.empty()) return;
    event.data.pop_back();  // The break after the last line.
    if (event.event.empty()) event.event = "message";
    event.id = last_event_id_;
    return on_event(std::move(event));
  }
  const size_t colon = line.find(':');
  if (colon == 0) return;
  absl::string_view value;
  if (colon != absl::string_view::npos) {
    value = line.substr(colon + 1);
    absl::ConsumePrefix(&value, " ");
  }
  TakeField(line.substr(0, colon), value);
  return;
}

void SseParser::TakeField(absl::string_view name, absl::string_view value) {
  int64_t milliseconds = 0;
  if (name == "data") {
    absl::StrAppend(&data_, value, "\n");
  } else if (name == "event") {
    event_ = std::string(value);
  } else if (name == "id") {
    if (value.find('\0') == absl::string_view::npos) last_event_id_ = std::string(value);
  } else if (name == "retry" && value.find_first_not_of("0123456789") == absl::string_view::npos &&
             absl::SimpleAtoi(value, &milliseconds)) {
    retry_ = absl::Milliseconds(milliseconds);
  }
}

std::string SseFrame(absl::string_view event, absl::string_view data, absl::string_view id) {
  const auto one_line = [](absl::string_view text) {
    return absl::StrReplaceAll(text, {{"\r", ""}, {"\n", ""}});
  };
  std::string frame;
  if (!event.empty()) absl::StrAppend(&frame, "event: ", one_line(event), "\n");
  if (!id.empty()) absl::StrAppend(&frame, "id: ", one_line(id), "\n");
  const std::string text = NormalizeLineBreaks(data);
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&frame, "data: ", line, "\n");
  }
  frame += "\n";
  return frame;
}

}  // namespace slipway::http
