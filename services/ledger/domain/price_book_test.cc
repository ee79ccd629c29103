#include "services/ledger/domain/price_book.h"

#include "lib/testkit/matchers.h"
#include "services/ledger/domain/limits.h"

namespace slipway::ledger {
namespace {

using testkit::FailsWithReason;
using testkit::IsOkAndHolds;

const absl::Time kStart = absl::FromUnixSeconds(1'767'225'600);  // 2026-01-01.

Price Row(int64_t input, int64_t output, absl::Time from = kStart, int64_t threshold = 0) {
  return {.provider = "openai",
          .model = "m",
          .effective_time = from,
          .context_threshold_tokens = threshold,
          .input_pico_usd = input,
          .cache_read_pico_usd = input / 10,
          .cache_write_pico_usd = input * 5 / 4,
          .cache_write_long_pico_usd = input * 2,
          .output_pico_usd = output,
          .search_usd_nanos = 10'000'000};
}

struct Golden {
  const char* name;
  TokenCounts tokens;
  int64_t nanos;
};

class CostTable : public ::testing::TestWithParam<Golden> {};

// At 2 / 0.20 / 2.50 / 4 / 10 dollars per million tokens and 10 per thousand searches.
TEST_P(CostTable, IsExact) {
  EXPECT_THAT(CostOf(Row(2'000'000, 10'000'000), GetParam().tokens),
              IsOkAndHolds(GetParam().nanos));
}

INSTANTIATE_TEST_SUITE_P(
    , CostTable,
    ::testing::Values(Golden{"Nothing", {}, 0}, Golden{"OneInputToken", {.input = 1}, 2'000},
                      Golden{"MillionOfEach",
                             {.input = 1'000'000,
                              .cache_read = 1'000'000,
                              .cache_write = 1'000'000,
                              .cache_write_long = 1'000'000,
                              .output = 1'000'000},
                             18'700'000'000},
                      Golden{"ReasoningIsPartOfOutput", {.output = 10, .reasoning = 9}, 100'000},
                      Golden{"Searches", {.searches = 3}, 30'000'000},
                      Golden{"CachedPrompt", {.input = 3, .cache_read = 7, .output = 2}, 27'400}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(PriceBookTest, RoundsUpOncePerCall) {
  // 12,500 pico-dollars are 12.5 nano-dollars; three classes of one token each are not rounded
  // each for itself.
  Price row = Row(12'500, 12'500);
  row.cache_read_pico_usd = 12'500;
  EXPECT_THAT(CostOf(row, {.input = 1}), IsOkAndHolds(13));
  EXPECT_THAT(CostOf(row, {.input = 1, .cache_read = 1, .output = 1}), IsOkAndHolds(38));
}

TEST(PriceBookTest, RefusesWhatOverflows) {
  EXPECT_THAT(CostOf(Row(kRateMax, 0), {.input = kTokensMax}), FailsWithReason("AMOUNT_INVALID"));
  EXPECT_THAT(CostOf(Row(1, 1), {.input = -1}), FailsWithReason("AMOUNT_INVALID"));
  EXPECT_THAT(CostOf(Row(1, 1), {.output = INT64_MAX}), FailsWithReason("AMOUNT_INVALID"));
}

TEST(PriceBookTest, ThresholdPricesTheWholeRequest) {
  PriceBook book;
  ASSERT_OK(book.Add({Row(10, 100), Row(20, 150, kStart, 272'001)}, {}));
  const auto input_rate = [&](const TokenCounts& tokens) {
    return book.Find("openai", "m", "", kStart, tokens)->input_pico_usd;
  };
  EXPECT_EQ(input_rate({.input = 272'000}), 10);
  EXPECT_EQ(input_rate({.input = 1, .cache_read = 272'000}), 20);
}

TEST(PriceBookTest, RowsHoldFromTheirDate) {
  PriceBook book;
  const absl::Time cut = kStart + absl::Hours(24);
  ASSERT_OK(book.Add({Row(1'000, 10'000), Row(800, 8'000, cut)}, {}));
  EXPECT_EQ(book.Find("openai", "m", "default", cut - absl::Nanoseconds(1), {})->input_pico_usd,
            1'000);
  EXPECT_EQ(book.Find("openai", "m", "default", cut, {})->input_pico_usd, 800);
  EXPECT_EQ(book.Find("openai", "m", "default", kStart - absl::Seconds(1), {}), nullptr);
}

TEST(PriceBookTest, UnknownTierCostsTheDearest) {
  PriceBook book;
  Price priority = Row(2'500, 25'000);
  priority.service_tier = "priority";
  ASSERT_OK(book.Add({Row(1'000, 10'000), priority}, {}));
  EXPECT_EQ(book.Find("openai", "m", "express", kStart, {.input = 5})->service_tier, "priority");
  EXPECT_EQ(book.Find("openai", "m", "standard", kStart, {.input = 5})->service_tier, "default");
}

TEST(PriceBookTest, QuoteIsNeverBelowTheCost) {
  PriceBook book;
  ASSERT_OK(book.Add({Row(1'000, 9'000), Row(2'000, 13'500, kStart, 272'001)}, {}));
  ASSERT_OK_AND_ASSIGN(
      const Quote quote,
      book.WorstCase(
          {.provider = "openai", .model = "m", .input_tokens = 300'000, .output_tokens = 1'000},
          kStart));
  for (const TokenCounts& tokens :
       {TokenCounts{.input = 300'000, .output = 1'000},
        TokenCounts{.cache_write_long = 300'000, .output = 1'000},
        TokenCounts{.input = 100'000, .cache_read = 200'000, .output = 10}}) {
    const Price* row = book.Find("openai", "m", "", kStart, tokens);
    EXPECT_LE(*CostOf(*row, tokens), quote.cost_usd_nanos);
  }
  EXPECT_THAT(
      book.WorstCase(
          {.provider = "openai", .model = "other", .input_tokens = 1, .output_tokens = 1}, kStart),
      FailsWithReason("PRICE_UNKNOWN"));
}

TEST(PriceBookTest, RatesOfAQuotePriceEveryOtherSizeInTheirRange) {
  PriceBook book;
  Price flex = Row(501, 2'500, kStart, 100'000);
  flex.service_tier = "flex";
  Price flex_base = Row(333, 1'700);
  flex_base.service_tier = "flex";
  ASSERT_OK(
      book.Add({Row(1'001, 9'000), Row(2'000, 13'500, kStart, 272'001), flex_base, flex}, {}));
  QuoteOrder order = {.provider = "openai", .model = "m", .service_tier = "flex"};
  for (const int64_t asked : {0, 99'999, 100'000, 272'000, 272'001, 900'000}) {
    order.input_tokens = asked;
    ASSERT_OK_AND_ASSIGN(const Quote quote, book.WorstCase(order, kStart));
    EXPECT_GE(asked, quote.input_tokens_from);
    EXPECT_EQ(quote.input_tokens_below == 0, asked >= 272'001);
    const int64_t last = quote.input_tokens_below == 0 ? 2'000'000 : quote.input_tokens_below - 1;
    for (const int64_t other : {quote.input_tokens_from, quote.input_tokens_from + 77, last}) {
      order.input_tokens = other;
      ASSERT_OK_AND_ASSIGN(const Quote exact, book.WorstCase(order, kStart));
      EXPECT_EQ((quote.input_pico_usd * other + 999) / 1'000, exact.input_usd_nanos) << other;
      EXPECT_EQ(quote.output_pico_usd, exact.output_pico_usd) << other;
    }
  }
}

TEST(PriceBookTest, QuoteOfACheaperTierCoversTheDefault) {
  Price flex = Row(500, 2'500);
  flex.service_tier = "flex";
  Price priority = Row(4'000, 20'000);
  priority.service_tier = "priority";
  PriceBook book;
  ASSERT_OK(book.Add({Row(1'000, 5'000), flex, priority}, {}));
  QuoteOrder order = {
      .provider = "openai", .model = "m", .service_tier = "flex", .input_tokens = 1'000'000};
  ASSERT_OK_AND_ASSIGN(const Quote cheap, book.WorstCase(order, kStart));
  EXPECT_EQ(cheap.cost_usd_nanos, 2'000'000);  // At "default", written to the long cache.
  order.service_tier = "priority";
  ASSERT_OK_AND_ASSIGN(const Quote dear, book.WorstCase(order, kStart));
  EXPECT_EQ(dear.price.service_tier, "priority");
  EXPECT_EQ(dear.cost_usd_nanos, 8'000'000);
}

TEST(PriceBookTest, QuoteBoundsEveryNumberOfOutputTokens) {
  // The long row is dearer for many output tokens, the other one for few.
  Price long_row = Row(1'000, 90'000, kStart, 100);
  PriceBook book;
  ASSERT_OK(book.Add({Row(9'000, 10'000), long_row}, {}));
  ASSERT_OK_AND_ASSIGN(const Quote quote, book.WorstCase({.provider = "openai",
                                                          .model = "m",
                                                          .input_tokens = 1'000,
                                                          .output_tokens = 1'000,
                                                          .searches = 2},
                                                         kStart));
  for (const int64_t output : {int64_t{0}, int64_t{10}, int64_t{1'000}}) {
    for (const int64_t input : {int64_t{99}, int64_t{1'000}}) {
      const TokenCounts tokens = {.cache_write_long = input, .output = output, .searches = 2};
      const Price* const row = book.Find("openai", "m", "", kStart, tokens);
      EXPECT_LE(*CostOf(*row, tokens),
                quote.input_usd_nanos + (output * quote.output_pico_usd + 999) / 1'000);
    }
  }
}

TEST(PriceBookTest, SuspiciousChangeNeedsToBeAccepted) {
  PriceBook book;
  ASSERT_OK(book.Add({Row(1'000, 5'000)}, {}));
  const Price tenfold = Row(10'000, 5'000, kStart + absl::Hours(1));
  const Price more = Row(10'010, 5'000, kStart + absl::Hours(2));
  const Price tiny = Row(1, 5'000, kStart + absl::Hours(3));
  EXPECT_OK(PriceBook(book).Add({tenfold}, {}));
  EXPECT_THAT(PriceBook(book).Add({more}, {}), FailsWithReason("PRICE_SUSPICIOUS"));
  EXPECT_THAT(PriceBook(book).Add({tiny}, {}), FailsWithReason("PRICE_SUSPICIOUS"));
  EXPECT_OK(book.Add({more}, {"openai/m"}));
}

TEST(PriceBookTest, KnownRowsAreLeftAloneAndNeverChanged) {
  PriceBook book;
  ASSERT_OK(book.Add({Row(1'000, 5'000)}, {}));
  ASSERT_OK_AND_ASSIGN(const PriceBook::Import again, book.Add({Row(1'000, 5'000)}, {}));
  EXPECT_EQ(again.unchanged, 1);
  EXPECT_TRUE(again.added.empty());
  EXPECT_THAT(book.Add({Row(1'001, 5'000)}, {}), FailsWithReason("PRICE_INVALID"));
  EXPECT_THAT(book.Add({Row(-1, 5'000, kStart + absl::Hours(1))}, {}),
              FailsWithReason("PRICE_INVALID"));
}

}  // namespace
}  // namespace slipway::ledger
