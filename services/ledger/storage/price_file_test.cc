#include "services/ledger/storage/price_file.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/testkit/matchers.h"
#include "services/ledger/domain/errors.h"

namespace slipway::ledger {
namespace {

using testkit::FailsWithReason;
using testkit::IsOkAndHolds;

TEST(PriceFileTest, DecimalsAreExact) {
  EXPECT_THAT(ParseDecimal("0.0125", 6), IsOkAndHolds(12'500));
  EXPECT_THAT(ParseDecimal("10", 6), IsOkAndHolds(10'000'000));
  for (const char* text :
       {"", ".", "1.", ".5", "-1", "1e3", "0.0000001", "1 ", "0x1", "99999999999999"}) {
    EXPECT_FALSE(ParseDecimal(text, 6).ok()) << text;
  }
}

TEST(PriceFileTest, ShippedFileIsReadAndConsistent) {
  ASSERT_OK_AND_ASSIGN(const std::vector<Price> rows, ReadPriceFile(SLIPWAY_PRICE_FILE));
  PriceBook book;
  ASSERT_OK_AND_ASSIGN(const PriceBook::Import import, book.Add(rows, {}));
  EXPECT_EQ(import.added.size(), rows.size());
  const absl::Time november = absl::FromUnixSeconds(1'793'500'000);
  const TokenCounts million = {.input = 100'000, .output = 100'000};
  const auto cost = [&](const char* provider, const char* model) {
    return *CostOf(*book.Find(provider, model, "", november, million), million);
  };
  EXPECT_EQ(cost("scripted", "scripted-large"), 1'200'000'000);
  EXPECT_EQ(cost("openai", "gpt-5.6-sol"), 2'400'000'000);
  EXPECT_EQ(cost("anthropic", "claude-haiku-5-5"), 60'000'000);
  EXPECT_EQ(book.Find("anthropic", "claude-haiku-5-5", "", november, {.cache_read = 100'001})
                ->input_pico_usd,
            500'000);
}

TEST(PriceFileTest, MistakesAreToldWithTheirPlace) {
  const absl::StatusOr<std::vector<Price>> rows =
      ParsePrices("version: 1\nprices:\n  - provider: a\n    modle: b\n", "p.yaml");
  EXPECT_THAT(rows, FailsWithReason("PRICE_FILE_INVALID"));
  EXPECT_THAT(std::string(rows.status().message()),
              ::testing::HasSubstr("p.yaml:4:5: unknown key 'modle'"));
  for (const char* text :
       {"", "[]", "version: 2\nprices: []", "prices: []", "version: 1\nprices: 3",
        "version: 1\nprices: [{provider: a}]", "{", "version: 1\nversion: 1"}) {
    EXPECT_THAT(ParsePrices(text, "p"), FailsWithReason("PRICE_FILE_INVALID")) << text;
  }
  EXPECT_THAT(ReadPriceFile("/nowhere"), FailsWithReason("PRICE_FILE_UNREADABLE"));
}

TEST(PriceFileTest, RowsThatMeanNothingAreToldWithTheirPlace) {
  const std::string row =
      "  - {provider: a, model: b, effective: 2026-01-02, usd_per_mtok: {input: 1, output: 2}}\n";
  const std::string twice = absl::StrCat("version: 1\nprices:\n", row, row);
  EXPECT_THAT(std::string(ParsePrices(twice, "p.yaml").status().message()),
              ::testing::HasSubstr("p.yaml:4:5: this row is in the file already"));
  const std::string dear = absl::StrReplaceAll(twice, {{"input: 1,", "input: 9000000,"}});
  EXPECT_THAT(std::string(ParsePrices(dear, "p.yaml").status().message()),
              ::testing::HasSubstr("p.yaml:3:5: price of a/b: a rate is negative or too large"));
  const std::string old = absl::StrReplaceAll(twice, {{"2026-01-02", "1930-01-02"}});
  EXPECT_THAT(ParsePrices(old, "p.yaml"), FailsWithReason("PRICE_FILE_INVALID"));
}

}  // namespace
}  // namespace slipway::ledger
