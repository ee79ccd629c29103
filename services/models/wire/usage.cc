#include "services/models/wire/usage.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace slipway::models {
namespace {

using nlohmann::json;

// Far above any model's context, far below what the ledger accepts.
constexpr int64_t kCountMax = 1'000'000'000;

const json* MemberOf(const json& value, const char* name) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(name);
  return found == value.end() || found->is_null() ? nullptr : &*found;
}

// Reads counts, remembering whether one cannot be true.
class Counts final {
 public:
  explicit Counts(const json& usage) : usage_(usage) {}

  bool valid() const { return valid_; }
  void Require(bool holds) { valid_ = valid_ && holds; }

  bool Has(const char* name) const { return MemberOf(usage_, name) != nullptr; }
  int64_t Get(const char* name) { return Read(MemberOf(usage_, name)); }
  int64_t GetOf(const char* object, const char* name) {
    const json* inner = MemberOf(usage_, object);
    return inner == nullptr ? 0 : Read(MemberOf(*inner, name));
  }

 private:
  int64_t Read(const json* value) {
    if (value == nullptr) return 0;
    // A double that is whole is read too: some servers count in floating point.
    const double size = value->is_number() ? value->get<double>() : -1.0;
    Require(size >= 0 && size <= static_cast<double>(kCountMax) && size == std::floor(size));
    return valid_ ? value->get<int64_t>() : 0;
  }

  const json& usage_;
  bool valid_ = true;
};

struct OpenAiNames {
  const char* input;
  const char* input_details;
  const char* output;
  const char* output_details;
};
constexpr OpenAiNames kChatNames = {"prompt_tokens", "prompt_tokens_details", "completion_tokens",
                                    "completion_tokens_details"};
constexpr OpenAiNames kResponsesNames = {"input_tokens", "input_tokens_details", "output_tokens",
                                         "output_tokens_details"};

std::optional<TokenCounts> ReadOpenAi(const OpenAiNames& names, const json& usage) {
  Counts counts(usage);
  if (!counts.Has(names.input)) return std::nullopt;
  TokenCounts tokens;
  const int64_t input = counts.Get(names.input);
  tokens.cache_read = counts.GetOf(names.input_details, "cached_tokens");
  tokens.cache_write = counts.GetOf(names.input_details, "cache_write_tokens");
  tokens.output = counts.Get(names.output);
  tokens.reasoning = counts.GetOf(names.output_details, "reasoning_tokens");
  counts.Require(tokens.cache_read + tokens.cache_write <= input);
  if (!counts.valid()) return std::nullopt;
  tokens.input = input - tokens.cache_read - tokens.cache_write;
  // Some servers count reasoning beside the output: what was billed is then the larger.
  tokens.output = std::max(tokens.output, tokens.reasoning);
  return tokens;
}

std::optional<TokenCounts> ReadMessages(const json& usage) {
  Counts counts(usage);
  if (!counts.Has("input_tokens") && !counts.Has("output_tokens")) return std::nullopt;
  TokenCounts tokens;
  tokens.input = counts.Get("input_tokens");
  tokens.cache_read = counts.Get("cache_read_input_tokens");
  const int64_t written = counts.Get("cache_creation_input_tokens");
  const int64_t short_lived = counts.GetOf("cache_creation", "ephemeral_5m_input_tokens");
  const int64_t long_lived = counts.GetOf("cache_creation", "ephemeral_1h_input_tokens");
  tokens.cache_write_long = long_lived;
  // Written tokens of which no class is told cost what five minutes cost.
  tokens.cache_write = std::max(short_lived, written - long_lived);
  tokens.output = counts.Get("output_tokens");
  tokens.reasoning =
      std::min(counts.GetOf("output_tokens_details", "thinking_tokens"), tokens.output);
  tokens.searches = counts.GetOf("server_tool_use", "web_search_requests");
  if (!counts.valid()) return std::nullopt;
  return tokens;
}

// Iterations of one call, such as compactions, are billed each; the outer counts may leave some
// out.
std::optional<TokenCounts> ReadIterations(const json& usage) {
  const json* iterations = MemberOf(usage, "iterations");
  if (iterations == nullptr || !iterations->is_array() || iterations->empty()) return std::nullopt;
  TokenCounts sum;
  for (const json& iteration : *iterations) {
    const std::optional<TokenCounts> one = ReadMessages(iteration);
    if (!one.has_value()) return std::nullopt;
    sum.input += one->input;
    sum.cache_read += one->cache_read;
    sum.cache_write += one->cache_write;
    sum.cache_write_long += one->cache_write_long;
    sum.output += one->output;
    sum.reasoning += one->reasoning;
  }
  return sum;
}

}  // namespace

std::optional<TokenCounts> ReadUsage(Dialect dialect, const json& usage) {
  if (dialect == Dialect::kChat) return ReadOpenAi(kChatNames, usage);
  if (dialect == Dialect::kResponses) return ReadOpenAi(kResponsesNames, usage);
  std::optional<TokenCounts> outer = ReadMessages(usage);
  if (!outer.has_value()) return outer;
  std::optional<TokenCounts> sum = ReadIterations(usage);
  if (!sum.has_value() || AllTokens(*sum) <= AllTokens(*outer)) return outer;
  sum->searches = outer->searches;
  return sum;
}

std::string ReadTier(const json& object) {
  const json* speed = MemberOf(object, "speed");
  if (speed != nullptr && *speed == "fast") return "fast";
  const json* tier = MemberOf(object, "service_tier");
  if (tier == nullptr || !tier->is_string()) return "";
  const std::string name = tier->get<std::string>();
  return name == "standard" ? "default" : name.substr(0, 40);
}

void MergeUsage(json& usage, const json& later) {
  if (!later.is_object()) return;
  if (!usage.is_object()) usage = json::object();
  for (const auto& [name, value] : later.items()) {
    if (!value.is_null()) usage[name] = value;
  }
}

int64_t AllTokens(const TokenCounts& counts) {
  return counts.input + counts.cache_read + counts.cache_write + counts.cache_write_long +
         counts.output;
}

}  // namespace slipway::models
