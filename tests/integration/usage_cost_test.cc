#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/testkit/matchers.h"
#include "nlohmann/json.hpp"
#include "services/ledger/domain/price_book.h"
#include "services/ledger/storage/price_file.h"
#include "services/models/wire/reply_meter.h"

namespace slipway {
namespace {

using nlohmann::json;

std::string SourcePath(const std::string& path) {
  return absl::StrCat(SLIPWAY_SOURCE_DIR "/", path);
}

json GoldenCases() {
  const std::string text =
      base::ReadFile(SourcePath("services/models/testing/golden_usage.json"), 8u << 20).value();
  return json::parse(text)["cases"];
}

models::Metered Meter(const json& golden) {
  const std::string name = golden["dialect"];
  const models::Dialect dialect = name == "chat"        ? models::Dialect::kChat
                                  : name == "responses" ? models::Dialect::kResponses
                                                        : models::Dialect::kMessages;
  models::ReplyMeter meter(dialect);
  if (golden.contains("reply")) meter.TakeBody(golden["reply"].dump());
  for (const json& event : golden.value("events", json::array())) {
    meter.TakeEvent(event.is_string() ? event.get<std::string>() : event.dump());
  }
  return meter.metered();
}

class UsageCost : public ::testing::TestWithParam<json> {};

// What the models service reads off a reply and what the ledger makes of it at the prices that are
// shipped, against amounts that were worked out apart from both.
TEST_P(UsageCost, IsExactToTheNanoDollar) {
  const json& golden = GetParam();

  const models::Metered metered = Meter(golden);

  ASSERT_EQ(metered.tokens.has_value(), golden["final"].get<bool>());
  if (!metered.tokens.has_value()) return;
  const models::TokenCounts& read = *metered.tokens;
  EXPECT_EQ(json({{"input", read.input},
                  {"cache_read", read.cache_read},
                  {"cache_write", read.cache_write},
                  {"cache_write_long", read.cache_write_long},
                  {"output", read.output},
                  {"reasoning", read.reasoning},
                  {"searches", read.searches}}),
            golden["tokens"]);
  const std::string tier = metered.service_tier.empty() ? "default" : metered.service_tier;
  EXPECT_EQ(tier, golden["tier"]);
  EXPECT_EQ(metered.model, golden["model"]);
  static const auto& book = *[] {
    auto* prices = new ledger::PriceBook();
    EXPECT_OK(
        prices->Add(ledger::ReadPriceFile(SourcePath("data/prices/default.yaml")).value(), {}));
    return prices;
  }();
  const ledger::TokenCounts tokens = {.input = read.input,
                                      .cache_read = read.cache_read,
                                      .cache_write = read.cache_write,
                                      .cache_write_long = read.cache_write_long,
                                      .output = read.output,
                                      .reasoning = read.reasoning,
                                      .searches = read.searches};
  const absl::Time time = absl::FromCivil(absl::CivilDay(2026, 11, 15), absl::UTCTimeZone());
  const ledger::Price* price =
      book.Find(golden["provider"].get<std::string>(), metered.model, tier, time, tokens);
  ASSERT_NE(price, nullptr);
  EXPECT_THAT(ledger::CostOf(*price, tokens),
              testkit::IsOkAndHolds(golden["cost_usd_nanos"].get<int64_t>()));
}

std::vector<json> AllCases() {
  const json cases = GoldenCases();
  return {cases.begin(), cases.end()};
}

INSTANTIATE_TEST_SUITE_P(, UsageCost, ::testing::ValuesIn(AllCases()), [](const auto& info) {
  return info.param["name"].template get<std::string>();
});

TEST(UsageCostTest, CoversEveryDialectStreamedAndWhole) {
  std::map<std::string, int> kinds;
  for (const json& golden : AllCases()) {
    ++kinds[absl::StrCat(golden["dialect"].get<std::string>(),
                         golden.contains("events") ? " streamed" : " whole")];
  }
  EXPECT_EQ(kinds.size(), 6u);
  EXPECT_GE(AllCases().size(), 60u);
}

}  // namespace
}  // namespace slipway
