#include "agent/runner/chat_reply.h"

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "agent/domain/limits.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"

namespace slipway::agent {
namespace {

using Json = nlohmann::json;

absl::Status Malformed(absl::string_view cause) {
  return base::Error(absl::StatusCode::kInternal, "REPLY_MALFORMED", cause);
}

std::string TextAt(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

absl::Status ReplyTooLarge() {
  return base::Error(absl::StatusCode::kOutOfRange, "REPLY_TOO_LARGE",
                     absl::StrCat("the reply has more than ", kReplyBytesMax >> 20,
                                  " MiB; split the task, so that one reply can hold its change"));
}

}  // namespace

absl::Status ChatReply::Feed(absl::string_view bytes) {
  if (!streamed_) {
    absl::StrAppend(&body_, bytes);
    if (body_.size() <= 2 * kReplyBytesMax) return absl::OkStatus();
    return ReplyTooLarge();
  }
  absl::Status status;
  RETURN_IF_ERROR(parser_.Feed(bytes, [&](const http::SseEvent& event) {
    if (status.ok()) status = TakeChunk(event.data);
  }));
  return status;
}

absl::Status ChatReply::Finish() {
  if (!streamed_) RETURN_IF_ERROR(TakeChunk(body_));
  if (!done_ && finish_reason_.empty()) return Malformed("the reply ended in the middle");
  return absl::OkStatus();
}

absl::Status ChatReply::TakeChunk(absl::string_view text) {
  if (text == "[DONE]") {
    done_ = true;
    return absl::OkStatus();
  }
  const Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Malformed("the reply is not JSON");
  if (const auto error = json.find("error"); error != json.end() && error->is_object()) {
    return base::Error(absl::StatusCode::kUnavailable, "PROVIDER_ERROR",
                       base::ToUtf8(TextAt(*error, "message"), 512));
  }
  const auto choices = json.find("choices");
  if (choices == json.end() || !choices->is_array() || choices->empty()) return absl::OkStatus();
  const Json& choice = (*choices)[0];
  if (!choice.is_object()) return Malformed("a choice is not an object");
  if (const std::string reason = TextAt(choice, "finish_reason"); !reason.empty()) {
    finish_reason_ = reason;
  }
  const auto part = choice.find(streamed_ ? "delta" : "message");
  if (part == choice.end() || !part->is_object()) return absl::OkStatus();
  return Append(TextAt(*part, "content"));
}

absl::Status ChatReply::Append(absl::string_view text) {
  if (text_.size() + text.size() > kReplyBytesMax) {
    return ReplyTooLarge();
  }
  absl::StrAppend(&text_, text);
  return absl::OkStatus();
}

}  // namespace slipway::agent
