#include "agent/domain/runner_message.h"

#include <algorithm>
#include <array>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"

#include "agent/domain/errors.h"
#include "agent/domain/limits.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"

namespace slipway::agent {
namespace {

using Json = nlohmann::json;

constexpr std::array<absl::string_view, 4> kPhases = {"context", "model", "edit", "check"};
constexpr std::array<absl::string_view, 3> kClasses = {"agent", "infrastructure", "provider"};
constexpr std::array<absl::string_view, 2> kStops = {"budget", "rate_limit"};
constexpr int64_t kRetryMillisecondsMax = int64_t{7} * 24 * 3'600 * 1'000;

struct Encoder {
  Json operator()(const ProgressNote& note) const {
    return {{"type", "progress"}, {"phase", note.phase}, {"detail", note.detail}};
  }
  Json operator()(const LogText& log) const { return {{"type", "log"}, {"text", log.text}}; }
  Json operator()(const PatchPiece& piece) const {
    return {{"type", "patch"}, {"data", absl::Base64Escape(piece.bytes)}};
  }
  Json operator()(const Change& change) const {
    return {{"type", "change"},
            {"tree", change.tree},
            {"summary", change.summary},
            {"repair_rounds", change.repair_rounds}};
  }
  Json operator()(const Failure& failure) const {
    const size_t index = std::min<size_t>(static_cast<size_t>(failure.failure_class), 2);
    return {{"type", "failure"},
            {"class", std::string(kClasses[index])},
            {"reason", failure.reason},
            {"detail", base::ToUtf8(failure.detail, kDetailBytesMax)}};
  }
  Json operator()(const Stop& stop) const {
    Json json = {{"type", "stop"},
                 {"reason", stop.reason == StopReason::kBudget ? "budget" : "rate_limit"},
                 {"detail", base::ToUtf8(stop.detail, kDetailBytesMax)}};
    if (stop.retry_delay.has_value()) {
      json["retry_ms"] = absl::ToInt64Milliseconds(*stop.retry_delay);
    }
    return json;
  }
};

// The fields of one message, each of which must be there with its type.
class Reader final {
 public:
  explicit Reader(const Json& json) : json_(json) {}

  absl::StatusOr<std::string> Text(const char* key, size_t size_max) const {
    const auto found = json_.find(key);
    if (found == json_.end() || !found->is_string()) {
      return RunnerProtocol(absl::StrCat("no text '", key, "'"));
    }
    return base::ToUtf8(found->get_ref<const std::string&>(), size_max);
  }

  // The place of the text in `choices`.
  template <size_t N>
  absl::StatusOr<size_t> Choice(const char* key,
                                const std::array<absl::string_view, N>& choices) const {
    ASSIGN_OR_RETURN(const std::string text, Text(key, 64));
    const auto found = std::find(choices.begin(), choices.end(), text);
    if (found == choices.end()) return RunnerProtocol(absl::StrCat("unknown ", key));
    return static_cast<size_t>(found - choices.begin());
  }

  const Json& json() const { return json_; }

 private:
  const Json& json_;
};

bool IsReason(absl::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isupper(c) || absl::ascii_isdigit(c) || c == '_';
  });
}

bool IsOid(absl::string_view text) {
  return text.size() == 40 && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

absl::StatusOr<RunnerMessage> ReadProgress(const Reader& reader) {
  ASSIGN_OR_RETURN(const size_t phase, reader.Choice("phase", kPhases));
  ASSIGN_OR_RETURN(std::string detail, reader.Text("detail", kProgressDetailBytesMax));
  absl::StrReplaceAll({{"\n", " "}, {"\r", " "}, {"\x1b", ""}}, &detail);
  return ProgressNote{.phase = std::string(kPhases[phase]), .detail = detail};
}

absl::StatusOr<RunnerMessage> ReadLog(const Reader& reader) {
  ASSIGN_OR_RETURN(std::string text, reader.Text("text", kFrameBytesMax));
  return LogText{.text = std::move(text)};
}

absl::StatusOr<RunnerMessage> ReadPatch(const Reader& reader) {
  ASSIGN_OR_RETURN(const std::string data, reader.Text("data", kFrameBytesMax));
  PatchPiece piece;
  if (!absl::Base64Unescape(data, &piece.bytes)) return RunnerProtocol("the data is not base64");
  return piece;
}

absl::StatusOr<RunnerMessage> ReadChange(const Reader& reader) {
  Change change;
  ASSIGN_OR_RETURN(change.tree, reader.Text("tree", 64));
  if (!IsOid(change.tree)) return RunnerProtocol("the tree is not an object id");
  ASSIGN_OR_RETURN(change.summary, reader.Text("summary", kSummaryBytesMax));
  const auto rounds = reader.json().find("repair_rounds");
  if (rounds == reader.json().end() || !rounds->is_number_integer()) {
    return RunnerProtocol("repair_rounds is not a whole number");
  }
  change.repair_rounds =
      static_cast<int>(std::clamp<int64_t>(rounds->get<int64_t>(), 0, kRepairRoundsMax));
  return change;
}

absl::StatusOr<RunnerMessage> ReadFailure(const Reader& reader) {
  Failure failure;
  ASSIGN_OR_RETURN(const size_t index, reader.Choice("class", kClasses));
  failure.failure_class = static_cast<FailureClass>(index);
  ASSIGN_OR_RETURN(failure.reason, reader.Text("reason", 128));
  if (!IsReason(failure.reason)) return RunnerProtocol("the reason is not UPPER_SNAKE");
  ASSIGN_OR_RETURN(failure.detail, reader.Text("detail", kDetailBytesMax));
  return failure;
}

absl::StatusOr<RunnerMessage> ReadStop(const Reader& reader) {
  Stop stop;
  ASSIGN_OR_RETURN(const size_t index, reader.Choice("reason", kStops));
  stop.reason = static_cast<StopReason>(index);
  ASSIGN_OR_RETURN(stop.detail, reader.Text("detail", kDetailBytesMax));
  const auto retry = reader.json().find("retry_ms");
  if (retry == reader.json().end()) return stop;
  if (!retry->is_number_integer()) return RunnerProtocol("retry_ms is not a whole number");
  stop.retry_delay =
      absl::Milliseconds(std::clamp<int64_t>(retry->get<int64_t>(), 0, kRetryMillisecondsMax));
  return stop;
}

}  // namespace

std::string EncodeMessage(const RunnerMessage& message) {
  return std::visit(Encoder(), message).dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<RunnerMessage> DecodeMessage(absl::string_view text) {
  using Read = absl::StatusOr<RunnerMessage> (*)(const Reader&);
  static const auto& readers = *new std::map<std::string, Read>{
      {"progress", ReadProgress}, {"log", ReadLog},         {"patch", ReadPatch},
      {"change", ReadChange},     {"failure", ReadFailure}, {"stop", ReadStop}};
  // No message has depth: deeper values are dropped as they are read.
  const Json::parser_callback_t shallow = [](int depth, Json::parse_event_t, Json&) {
    return depth <= 1;
  };
  const Json json = Json::parse(text.begin(), text.end(), shallow, /*allow_exceptions=*/false);
  if (!json.is_object()) return RunnerProtocol("a message that is not a JSON object");
  const Reader reader(json);
  ASSIGN_OR_RETURN(const std::string type, reader.Text("type", 64));
  const auto read = readers.find(type);
  if (read == readers.end()) return RunnerProtocol("a message of an unknown type");
  return read->second(reader);
}

}  // namespace slipway::agent
