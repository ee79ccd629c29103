#include "services/models/storage/stored_form.h"

#include "lib/base/error.h"
#include "nlohmann/json.hpp"

namespace slipway::models {
namespace {

using nlohmann::json;

json Parsed(absl::string_view text) {
  json value = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() ? json() : value;
}

int64_t Integer(const json& value, const char* name) {
  const auto found = value.find(name);
  return found != value.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

std::string Text(const json& value, const char* name) {
  const auto found = value.find(name);
  return found != value.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json TokensValue(const TokenCounts& tokens) {
  return {{"input", tokens.input},
          {"cache_read", tokens.cache_read},
          {"cache_write", tokens.cache_write},
          {"cache_write_long", tokens.cache_write_long},
          {"searches", tokens.searches},
          {"output", tokens.output},
          {"reasoning", tokens.reasoning}};
}

TokenCounts TokensOf(const json& value) {
  if (!value.is_object()) return {};
  return {.input = Integer(value, "input"),
          .cache_read = Integer(value, "cache_read"),
          .cache_write = Integer(value, "cache_write"),
          .cache_write_long = Integer(value, "cache_write_long"),
          .output = Integer(value, "output"),
          .reasoning = Integer(value, "reasoning"),
          .searches = Integer(value, "searches")};
}

}  // namespace

std::string TokensToJson(const TokenCounts& tokens) { return Dump(TokensValue(tokens)); }

TokenCounts TokensFromJson(absl::string_view text) { return TokensOf(Parsed(text)); }

std::string ErrorToJson(const absl::Status& error) {
  if (error.ok()) return "";
  const base::ErrorDetail detail = base::DetailOf(error).value_or(base::ErrorDetail());
  return Dump({{"code", static_cast<int>(error.code())},
               {"message", std::string(error.message())},
               {"reason", detail.reason},
               {"metadata", detail.metadata}});
}

absl::Status ErrorFromJson(absl::string_view text) {
  if (text.empty()) return absl::OkStatus();
  const json value = Parsed(text);
  if (!value.is_object()) return absl::InternalError("a stored error cannot be read");
  std::map<std::string, std::string> metadata;
  const auto stored = value.find("metadata");
  if (stored != value.end() && stored->is_object()) {
    for (const auto& [key, item] : stored->items()) {
      if (item.is_string()) metadata[key] = item.get<std::string>();
    }
  }
  return base::Error(static_cast<absl::StatusCode>(Integer(value, "code")), Text(value, "reason"),
                     Text(value, "message"), std::move(metadata));
}

std::string LinesToJson(const std::vector<std::string>& lines) { return Dump(lines); }

std::vector<std::string> LinesFromJson(absl::string_view text) {
  std::vector<std::string> lines;
  const json value = Parsed(text);
  if (!value.is_array()) return lines;
  for (const json& line : value) {
    if (line.is_string()) lines.push_back(line.get<std::string>());
  }
  return lines;
}

std::string SettlementToJson(const Settlement& settlement) {
  return Dump({{"kind", static_cast<int>(settlement.kind)},
               {"proof", static_cast<int>(settlement.proof)},
               {"tokens", TokensValue(settlement.tokens)},
               {"free", settlement.free},
               {"provider", settlement.provider},
               {"model", settlement.model},
               {"service_tier", settlement.service_tier},
               {"asked_model", settlement.asked_model},
               {"asked_tier", settlement.asked_tier},
               {"provider_request_id", settlement.provider_request_id}});
}

Settlement SettlementFromJson(absl::string_view text) {
  const json value = Parsed(text);
  Settlement settlement;  // Unreadable: kUnknown, which charges the hold.
  if (!value.is_object()) return settlement;
  const auto tokens = value.find("tokens");
  const auto free = value.find("free");
  settlement.kind = static_cast<Settlement::Kind>(Integer(value, "kind"));
  settlement.proof = static_cast<Proof>(Integer(value, "proof"));
  if (tokens != value.end()) settlement.tokens = TokensOf(*tokens);
  settlement.free = free != value.end() && free->is_boolean() && free->get<bool>();
  settlement.provider = Text(value, "provider");
  settlement.model = Text(value, "model");
  settlement.service_tier = Text(value, "service_tier");
  settlement.asked_model = Text(value, "asked_model");
  settlement.asked_tier = Text(value, "asked_tier");
  settlement.provider_request_id = Text(value, "provider_request_id");
  return settlement;
}

}  // namespace slipway::models
