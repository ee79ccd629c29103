#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/http/sse_parser.h"
#include "nlohmann/json.hpp"
#include "services/models/wire/fuzz/wire_properties.h"

namespace slipway::models {
namespace {

using nlohmann::json;

// The same inputs each time: a failure can be repeated.
class Mutator final {
 public:
  std::string Mutate(std::string text) {
    const int changes = 1 + Below(4);
    for (int i = 0; i < changes && !text.empty(); ++i) {
      const size_t at = static_cast<size_t>(Below(static_cast<int>(text.size())));
      switch (Below(5)) {
        case 0:
          text[at] = static_cast<char>(Below(256));
          break;
        case 1:
          text.erase(at, static_cast<size_t>(1 + Below(20)));
          break;
        case 2:
          text.insert(at, text.substr(at, static_cast<size_t>(1 + Below(40))));
          break;
        case 3:
          text.insert(at, kPieces[static_cast<size_t>(Below(std::size(kPieces)))]);
          break;
        default:
          text.resize(at);
      }
    }
    return text;
  }

 private:
  static constexpr const char* kPieces[] = {"null",
                                            "-1",
                                            "1e999",
                                            "9223372036854775807",
                                            "{}",
                                            "[]",
                                            "\"",
                                            "\\u0000",
                                            "\\ud800",
                                            ",",
                                            ":",
                                            "data: ",
                                            "\n\n",
                                            "\r",
                                            "event: error\n",
                                            "\"usage\":{}",
                                            "\"service_tier\":\"priority\",",
                                            "\"model\":1,",
                                            "\xF0\x9F",
                                            "\"tools\":[{\"type\":\"web_search\"}],",
                                            "true",
                                            "0.5"};

  int Below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }

  std::mt19937 random_{20261121};
};

struct Seed {
  Dialect dialect;
  std::string text;
};

std::vector<Seed> RequestSeeds() {
  return {
      {Dialect::kChat,
       R"({"model":"r","messages":[{"role":"user","content":[{"type":"text","text":"é"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}],"stream":true,"stream_options":{"include_usage":false},"max_tokens":9,"tools":[{"type":"function","function":{"name":"f"}}],"service_tier":"priority","reasoning_effort":"high"})"},
      {Dialect::kResponses,
       R"({"model":"r","instructions":"i","input":[{"role":"user","content":[{"type":"input_text","text":"x"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"o"}],"tools":[{"type":"custom","name":"p"},{"type":"web_search"}],"tool_choice":{"type":"function","name":"f"},"reasoning":{"effort":"high"},"text":{"format":{"type":"json_schema","name":"n","schema":{}}},"max_output_tokens":5})"},
      {Dialect::kMessages,
       R"({"model":"r","max_tokens":9000,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{"a":[1]}}]}],"thinking":{"type":"enabled","budget_tokens":2048},"speed":"fast","output_config":{"effort":"max"},"tools":[{"name":"n","input_schema":{}},{"type":"web_search_20250305","name":"w"}]})"}};
}

std::vector<Seed> ReplySeeds() {
  const std::string path = SLIPWAY_SOURCE_DIR "/services/models/testing/golden_usage.json";
  const json golden = json::parse(base::ReadFile(path, 8u << 20).value());
  std::vector<Seed> seeds;
  for (const json& one : golden["cases"]) {
    const std::string name = one["dialect"];
    Seed seed = {.dialect = name == "chat"        ? Dialect::kChat
                            : name == "responses" ? Dialect::kResponses
                                                  : Dialect::kMessages};
    if (one.contains("reply")) seed.text = one["reply"].dump();
    for (const json& event : one.value("events", json::array())) {
      const std::string type = event.is_object() ? event.value("type", "") : "";
      seed.text +=
          http::SseFrame(type, event.is_string() ? event.get<std::string>() : event.dump());
    }
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

constexpr int kRequestRounds = 4'000;
constexpr int kReplyRounds = 60;

TEST(WireMutationTest, AnyRequestIsRefusedOrSentAsDecided) {
  Mutator mutator;
  for (const Seed& seed : RequestSeeds()) {
    CheckAnyRequest(seed.dialect, seed.text);
    for (int i = 0; i < kRequestRounds; ++i)
      CheckAnyRequest(seed.dialect, mutator.Mutate(seed.text));
  }
}

TEST(WireMutationTest, AnyReplyIsPassedWholeAndMeteredAlike) {
  Mutator mutator;
  const std::vector<Seed> seeds = ReplySeeds();
  ASSERT_GE(seeds.size(), 60u);
  for (const Seed& seed : seeds) {
    CheckAnyReply(seed.dialect, seed.text);
    for (int i = 0; i < kReplyRounds; ++i) CheckAnyReply(seed.dialect, mutator.Mutate(seed.text));
  }
}

}  // namespace
}  // namespace slipway::models
