#include "services/models/cassette/cassette_entry.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "nlohmann/json.hpp"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

// The order of members is kept, so that a cassette reads well.
using Json = nlohmann::ordered_json;

constexpr int kCassetteVersion = 1;

// Names by the value of the enumeration.
constexpr std::array<const char*, 3> kSpeakers = {"system", "user", "assistant"};
constexpr std::array<const char*, 3> kKinds = {"complete", "failed", "unknown"};
constexpr std::array<const char*, 5> kFailures = {"transient", "wait", "money", "config",
                                                  "request"};
constexpr std::array<const char*, 3> kProofs = {"not_sent", "connect_failed",
                                                "upstream_error_before_output"};
constexpr std::array<const char*, 3> kDialects = {"chat", "responses", "messages"};

std::string Line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json TokensToJson(const TokenCounts& tokens) {
  Json value = {{"input", tokens.input}, {"output", tokens.output}};
  for (const auto& [name, count] :
       {std::pair("cache_read", tokens.cache_read), std::pair("cache_write", tokens.cache_write),
        std::pair("cache_write_long", tokens.cache_write_long),
        std::pair("reasoning", tokens.reasoning), std::pair("searches", tokens.searches)}) {
    if (count != 0) value[name] = count;
  }
  return value;
}

Json ResultToJson(const ProviderResult& result) {
  Json value = {{"kind", kKinds[static_cast<size_t>(result.kind)]}};
  if (result.tokens.has_value()) value["tokens"] = TokensToJson(*result.tokens);
  for (const auto& [name, text] :
       {std::pair("finish_reason", &result.finish_reason), std::pair("model", &result.model),
        std::pair("service_tier", &result.service_tier), std::pair("reason", &result.reason),
        std::pair("detail", &result.detail)}) {
    if (!text->empty()) value[name] = *text;
  }
  if (result.kind == ProviderResult::Kind::kFailed) {
    value["failure"] = kFailures[static_cast<size_t>(result.failure)];
    value["proof"] = kProofs[static_cast<size_t>(result.proof)];
    if (result.whole_provider) value["whole_provider"] = true;
  }
  if (result.error_passed_on) value["error_passed_on"] = true;
  if (result.retry_after.has_value()) {
    value["retry_after_ms"] = absl::ToInt64Milliseconds(*result.retry_after);
  }
  return value;
}

// Reads the members of one object, remembering the first problem.
class EntryReader final {
 public:
  explicit EntryReader(const Json& value) : value_(value) {
    if (!value.is_object()) Fail("is not a JSON object");
  }

  const absl::Status& status() const { return status_; }
  void Fail(absl::string_view problem) {
    if (status_.ok()) status_ = ConfigInvalid(problem);
  }

  const Json* Find(const char* name) const {
    if (!value_.is_object()) return nullptr;
    const auto found = value_.find(name);
    return found == value_.end() ? nullptr : &*found;
  }
  std::string Text(const char* name) {
    const Json* const found = Find(name);
    if (found == nullptr) return "";
    if (!found->is_string()) return Fail(absl::StrCat("\"", name, "\" must be text")), "";
    return found->get<std::string>();
  }
  std::string Needed(const char* name) {
    std::string text = Text(name);
    if (text.empty()) Fail(absl::StrCat("\"", name, "\" is missing"));
    return text;
  }
  std::optional<int64_t> Number(const char* name) {
    const Json* const found = Find(name);
    if (found == nullptr) return std::nullopt;
    if (!found->is_number_integer() || found->get<int64_t>() < 0) {
      Fail(absl::StrCat("\"", name, "\" must be a whole number from 0"));
      return std::nullopt;
    }
    return found->get<int64_t>();
  }
  bool Flag(const char* name) const {
    const Json* const found = Find(name);
    return found != nullptr && found->is_boolean() && found->get<bool>();
  }
  template <typename Enum, size_t kSize>
  Enum OneOf(const char* name, const std::array<const char*, kSize>& names) {
    const std::string text = Text(name);
    for (size_t i = 0; i < kSize; ++i) {
      if (text == names[i]) return static_cast<Enum>(i);
    }
    Fail(absl::StrCat("\"", name, "\" is \"", text.substr(0, 40), "\", which is none there is"));
    return Enum();
  }

 private:
  const Json& value_;
  absl::Status status_;
};

absl::StatusOr<std::optional<TokenCounts>> ReadTokens(const Json* value) {
  if (value == nullptr) return std::nullopt;
  EntryReader tokens(*value);
  const TokenCounts counts = {.input = tokens.Number("input").value_or(0),
                              .cache_read = tokens.Number("cache_read").value_or(0),
                              .cache_write = tokens.Number("cache_write").value_or(0),
                              .cache_write_long = tokens.Number("cache_write_long").value_or(0),
                              .output = tokens.Number("output").value_or(0),
                              .reasoning = tokens.Number("reasoning").value_or(0),
                              .searches = tokens.Number("searches").value_or(0)};
  RETURN_IF_ERROR(tokens.status());
  return counts;
}

absl::StatusOr<ProviderResult> ReadResult(const Json* value) {
  if (value == nullptr) return ConfigInvalid("\"end\" is missing");
  EntryReader reader(*value);
  ProviderResult result = {.kind = reader.OneOf<ProviderResult::Kind>("kind", kKinds),
                           .finish_reason = reader.Text("finish_reason"),
                           .model = reader.Text("model"),
                           .service_tier = reader.Text("service_tier"),
                           .reason = reader.Text("reason"),
                           .detail = reader.Text("detail"),
                           .whole_provider = reader.Flag("whole_provider"),
                           .error_passed_on = reader.Flag("error_passed_on")};
  if (result.kind == ProviderResult::Kind::kFailed) {
    result.failure = reader.OneOf<FailureClass>("failure", kFailures);
    result.proof = reader.OneOf<Proof>("proof", kProofs);
  }
  if (const auto retry = reader.Number("retry_after_ms")) {
    result.retry_after = absl::Milliseconds(*retry);
  }
  RETURN_IF_ERROR(reader.status());
  ASSIGN_OR_RETURN(result.tokens, ReadTokens(reader.Find("tokens")));
  return result;
}

absl::Status ReadMessages(EntryReader& reader, CassetteEntry& entry) {
  const Json* const messages = reader.Find("messages");
  if (messages == nullptr) return absl::OkStatus();
  for (const Json& message : *messages) {
    EntryReader turn(message);
    entry.messages.push_back({turn.OneOf<Speaker>("speaker", kSpeakers), turn.Text("text")});
    RETURN_IF_ERROR(turn.status());
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> ParsedLine(absl::string_view line) {
  Json value = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded() || !value.is_object()) return ConfigInvalid("is not a JSON object");
  return value;
}

}  // namespace

std::string EntryToJson(const CassetteEntry& entry) {
  Json value = {
      {"call", entry.call},
      {"time", absl::FormatTime(absl::RFC3339_full, entry.start_time, absl::UTCTimeZone())},
      {"plan", entry.scopes.plan},
      {"task", entry.scopes.task},
      {"attempt", entry.scopes.attempt},
      {"intent", entry.intent},
      {"role", entry.scopes.role},
      {"provider", entry.provider},
      {"model", entry.model},
      {"service_tier", entry.service_tier},
      {"output_tokens_max", entry.output_tokens_max}};
  if (!entry.reasoning_effort.empty()) value["reasoning_effort"] = entry.reasoning_effort;
  if (entry.dialect.has_value()) {
    value["dialect"] = kDialects[static_cast<size_t>(*entry.dialect)];
    value["stream"] = entry.stream;
  }
  value["prompt_sha256"] = entry.prompt_digest;
  for (const Message& message : entry.messages) {
    value["messages"].push_back(
        {{"speaker", kSpeakers[static_cast<size_t>(message.speaker)]}, {"text", message.text}});
  }
  if (!entry.response_schema.empty()) value["response_schema"] = entry.response_schema;
  if (!entry.body.empty()) value["body"] = entry.body;
  if (entry.request_omitted) value["request_omitted"] = true;
  value["reply"] = entry.reply;
  if (entry.text_only) value["text_only"] = true;
  value["end"] = ResultToJson(entry.result);
  if (entry.first_text_after.has_value()) {
    value["first_text_us"] = absl::ToInt64Microseconds(*entry.first_text_after);
  }
  value["latency_us"] = absl::ToInt64Microseconds(entry.latency);
  if (entry.redactions > 0) value["redactions"] = entry.redactions;
  if (entry.billed.has_value()) value["billed"] = TokensToJson(*entry.billed);
  if (entry.cost_usd_nanos.has_value()) value["cost_usd_nanos"] = *entry.cost_usd_nanos;
  return Line(value);
}

absl::StatusOr<CassetteEntry> EntryFromJson(absl::string_view line) {
  ASSIGN_OR_RETURN(const Json value, ParsedLine(line));
  EntryReader reader(value);
  CassetteEntry entry = {.call = reader.Needed("call"),
                         .scopes = {.plan = reader.Needed("plan"),
                                    .task = reader.Text("task"),
                                    .attempt = reader.Text("attempt"),
                                    .role = reader.Needed("role")},
                         .intent = reader.Text("intent"),
                         .provider = reader.Text("provider"),
                         .model = reader.Text("model"),
                         .service_tier = reader.Text("service_tier"),
                         .reasoning_effort = reader.Text("reasoning_effort"),
                         .output_tokens_max = reader.Number("output_tokens_max").value_or(0),
                         .response_schema = reader.Text("response_schema"),
                         .stream = reader.Flag("stream"),
                         .body = reader.Text("body"),
                         .request_omitted = reader.Flag("request_omitted"),
                         .prompt_digest = reader.Needed("prompt_sha256"),
                         .reply = reader.Text("reply"),
                         .text_only = reader.Flag("text_only"),
                         .latency = absl::Microseconds(reader.Number("latency_us").value_or(0)),
                         .redactions = static_cast<int>(reader.Number("redactions").value_or(0)),
                         .cost_usd_nanos = reader.Number("cost_usd_nanos")};
  if (reader.Find("dialect") != nullptr) {
    entry.dialect = reader.OneOf<Dialect>("dialect", kDialects);
  }
  if (const auto first = reader.Number("first_text_us")) {
    entry.first_text_after = absl::Microseconds(*first);
  }
  std::string problem;
  if (!absl::ParseTime(absl::RFC3339_full, reader.Needed("time"), &entry.start_time, &problem)) {
    reader.Fail("\"time\" is no time as RFC 3339 writes it");
  }
  if (entry.reply.size() > kWireReplyBytesMax) reader.Fail("\"reply\" is too long");
  RETURN_IF_ERROR(reader.status());
  RETURN_IF_ERROR(ReadMessages(reader, entry));
  ASSIGN_OR_RETURN(entry.result, ReadResult(reader.Find("end")));
  ASSIGN_OR_RETURN(entry.billed, ReadTokens(reader.Find("billed")));
  return entry;
}

std::string HeaderToJson(const CassetteHeader& header) {
  return Line({{"cassette", kCassetteVersion},
               {"plan", header.plan},
               {"entries", header.entries},
               {"dropped", header.dropped}});
}

absl::StatusOr<CassetteHeader> HeaderFromJson(absl::string_view line) {
  ASSIGN_OR_RETURN(const Json value, ParsedLine(line));
  EntryReader reader(value);
  if (reader.Number("cassette").value_or(0) != kCassetteVersion) {
    reader.Fail("its first line must have \"cassette\": 1");
  }
  CassetteHeader header = {.plan = reader.Text("plan"),
                           .entries = reader.Number("entries").value_or(0),
                           .dropped = reader.Number("dropped").value_or(0)};
  RETURN_IF_ERROR(reader.status());
  return header;
}

}  // namespace slipway::models
