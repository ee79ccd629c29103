#include "services/models/wire/fuzz/wire_properties.h"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "lib/http/sse_parser.h"
#include "nlohmann/json.hpp"
#include "services/models/wire/chat_for_responses.h"
#include "services/models/wire/reply_meter.h"
#include "services/models/wire/request_reader.h"
#include "services/models/wire/request_writer.h"
#include "services/models/wire/sse_splitter.h"
#include "services/models/wire/usage.h"

namespace slipway::models {
namespace {

using nlohmann::json;

constexpr size_t kFrameBytesMax = 1u << 16;

void Require(bool holds, const char* what, absl::string_view input) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n%.*s\n", what, static_cast<int>(input.size()), input.data());
  std::abort();
}

struct Read {
  std::string bytes;
  Metered metered;
  bool fed = true;
};

Read ReadInPieces(Dialect dialect, absl::string_view stream, size_t size) {
  Read read;
  ReplyMeter meter(dialect);
  http::SseParser parser(kFrameBytesMax);
  SseSplitter splitter(kFrameBytesMax);
  const auto on_frame = [&](absl::string_view frame) {
    read.bytes.append(frame.data(), frame.size());
    const auto on_event = [&](const http::SseEvent& event) { meter.TakeEvent(event.data); };
    parser.Feed(frame, on_event).IgnoreError();
  };
  for (size_t at = 0; at < stream.size(); at += size) {
    read.fed = splitter.Feed(stream.substr(at, size), on_frame) && read.fed;
  }
  read.bytes += splitter.rest();
  read.metered = meter.metered();
  return read;
}

void CheckTranslation(absl::string_view stream) {
  ResponsesFromChat translator("1", 0, "m", {"custom"});
  std::string frames;
  http::SseParser parser(kFrameBytesMax);
  const auto on_event = [&](const http::SseEvent& event) {
    frames += translator.TakeChunk(event.data);
  };
  parser.Feed(stream, on_event).IgnoreError();
  frames += translator.End(true, "stop", TokenCounts{.input = 1});
  http::SseParser reader;
  int64_t next = 0;
  const auto on_frame = [&](const http::SseEvent& event) {
    const json data = json::parse(event.data, nullptr, /*allow_exceptions=*/false);
    Require(data.is_object() && data["sequence_number"] == next++, "numbers of events", stream);
  };
  Require(reader.Feed(frames, on_frame).ok(), "translated stream", stream);
}

}  // namespace

void CheckAnyRequest(Dialect dialect, absl::string_view body) {
  const absl::StatusOr<WireRequest> request = ReadWireRequest(dialect, std::string(body));
  if (!request.ok()) return;
  Require(request->input_tokens_bound > 0, "bound of the input", body);
  const WireDecision decision = {
      .model = "m\"", .output_tokens_max = 7, .service_tier = "flex", .reasoning_effort = "low"};
  const std::string written = WriteWireRequest(*request, decision);
  const json sent = json::parse(written, nullptr, /*allow_exceptions=*/false);
  Require(sent.is_object(), "what is sent is JSON", written);
  Require(sent["model"] == "m\"" && sent["service_tier"] == "flex", "decisions", written);
  int limits = 0;
  for (const char* name : {"max_tokens", "max_completion_tokens", "max_output_tokens"}) {
    if (!sent.contains(name)) continue;
    ++limits;
    Require(sent[name] == 7, "limit of the output", written);
  }
  Require(limits > 0, "a limit of the output", written);
  Require(!sent.contains("speed") && !sent.contains("fallbacks"), "what costs more", written);
  if (dialect != Dialect::kResponses) return;
  const absl::StatusOr<ChatForResponses> chat = TranslateRequest(*request, decision);
  Require(!chat.ok() || json::accept(chat->body), "translated request", body);
}

void CheckAnyReply(Dialect dialect, absl::string_view stream) {
  const Read whole = ReadInPieces(dialect, stream, stream.size() + 1);
  const Read pieces = ReadInPieces(dialect, stream, 3);
  Require(whole.fed == pieces.fed, "bound of a frame", stream);
  if (whole.fed) {
    Require(whole.bytes == stream && pieces.bytes == stream, "bytes", stream);
    Require(whole.metered.tokens == pieces.metered.tokens, "counts", stream);
  }
  ReplyMeter meter(dialect);
  meter.TakeBody(stream);
  for (const Metered* metered : {&whole.metered, &meter.metered()}) {
    if (!metered->tokens.has_value()) continue;
    const TokenCounts& tokens = *metered->tokens;
    for (const int64_t count : {tokens.input, tokens.cache_read, tokens.cache_write,
                                tokens.cache_write_long, tokens.output, tokens.reasoning}) {
      Require(count >= 0, "no count is below zero", stream);
    }
    Require(tokens.reasoning <= tokens.output, "reasoning is part of the output", stream);
  }
  if (dialect == Dialect::kChat) CheckTranslation(stream);
}

}  // namespace slipway::models
