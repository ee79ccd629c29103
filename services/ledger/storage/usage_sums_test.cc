// Sums of usage, however they are asked for, are the sums of the calls.
#include <random>

#include "absl/strings/str_cat.h"
#include "services/ledger/storage/ledger_fixture.h"

namespace slipway::ledger {
namespace {

class UsageSumsTest : public LedgerFixture {
 protected:
  // Half a year of calls at every depth, of names that sort otherwise than their beginnings.
  void SetUp() override {
    LedgerFixture::SetUp();
    std::vector<Price> prices;
    for (const char* model : {"m", "n"}) {
      prices.push_back({.provider = "x",
                        .model = model,
                        .effective_time = clock_.Now() - absl::Hours(1),
                        .input_pico_usd = 1,
                        .output_pico_usd = 1});
    }
    ASSERT_OK(Await<PriceBook::Import>(
        [&](auto reply) { store_->ImportPrices(prices, {}, std::move(reply)); }));
    std::mt19937 random(5);
    const auto below = [&random](unsigned n) { return random() % n; };
    const char* const kProjects[] = {"projects/p", "projects/p-1", "projects/p1"};
    for (int i = 0; i < 250; ++i) {
      const std::string project = kProjects[below(3)];
      const std::string plan = absl::StrCat(project, "/plans/a", below(2));
      const std::string task = absl::StrCat(plan, "/tasks/t", below(2));
      ReserveOrder order = CallFor(absl::StrCat("k", i), 100);
      order.scopes = {.role = below(2) == 0 ? "builder" : ""};
      const unsigned depth = below(5);
      if (depth == 0) order.scopes.project = project;
      if (depth == 1) order.scopes.plan = plan;
      if (depth == 2) order.scopes.task = task;
      if (depth > 2) order.scopes.attempt = absl::StrCat(task, "/attempts/", 1 + below(2));
      order.provider = "x";
      order.model = below(2) == 0 ? "m" : "n";
      ASSERT_OK(Reserve(order));
      ASSERT_OK(SettleFor(order.key, 1 + below(90)));
      clock_.Advance(absl::Hours(1 + below(36)));
    }
  }

  std::vector<std::string> Lines(const UsageFilter& filter, const UsageGroups& groups, int size) {
    std::vector<std::string> lines;
    PageRequest request = {.size = size};
    do {
      const absl::StatusOr<Page<UsageRollup>> page = store_->QueryUsage(filter, groups, request);
      EXPECT_OK(page);
      if (!page.ok()) return lines;
      for (const UsageRollup& row : page->items) {
        const ScopePath& path = row.scopes;
        lines.push_back(absl::StrCat(
            row.day.has_value() ? absl::ToUnixSeconds(*row.day) : -1, " ", path.project, " ",
            path.plan, " ", path.task, " ",
            absl::StrCat(path.attempt, " ", path.role, " ", row.provider, " ", row.model, " ",
                         row.calls, " ", row.tokens.input, " ", row.cost_usd_nanos)));
      }
      request.token = page->next_token;
    } while (!request.token.empty());
    return lines;
  }
};

TEST_F(UsageSumsTest, EveryGroupingPageByPageIsTheSumOfItsCalls) {
  const absl::Time begin = absl::FromUnixSeconds(1'793'000'000);
  const absl::Time day = WindowStart(Window::kDay, absl::UTCTimeZone(), begin);
  const UsageFilter filters[] = {
      {},
      {.start = day + absl::Hours(24 * 17), .end = day + absl::Hours(24 * 120)},
      {.start = day + absl::Hours(24 * 3), .end = day + absl::Hours(24 * 9)},
      {.scope = "projects/p"},
      {.scope = "projects/p/roles/builder"},
      {.scope = "projects/p-1/plans/a1"},
      {.scope = "projects/p1/plans/a0/tasks/t1", .end = day + absl::Hours(24 * 90)},
      {.scope = "projects/p1/plans/a0/tasks/t1/attempts/2"}};
  size_t lines = 0;
  for (const UsageFilter& filter : filters) {
    for (unsigned bits = 0; bits < 256; ++bits) {
      const UsageGroups groups = {.day = (bits & 1) != 0,
                                  .project = (bits & 2) != 0,
                                  .plan = (bits & 4) != 0,
                                  .task = (bits & 8) != 0,
                                  .attempt = (bits & 16) != 0,
                                  .role = (bits & 32) != 0,
                                  .provider = (bits & 64) != 0,
                                  .model = (bits & 128) != 0};
      // A moment off midnight is answered from the calls themselves; nothing happens in it.
      UsageFilter exact = filter;
      exact.start = filter.start == absl::InfinitePast() ? absl::FromUnixMicros(1)
                                                         : filter.start - absl::Microseconds(1);
      const std::vector<std::string> expected = Lines(exact, groups, 1'000);
      lines += expected.size();
      ASSERT_EQ(Lines(filter, groups, 1'000), expected) << filter.scope << " " << bits;
      if (expected.size() > 60) continue;  // Days are many: their pages are those of the rest.
      ASSERT_EQ(Lines(filter, groups, 7), expected) << filter.scope << " " << bits;
      ASSERT_EQ(Lines(filter, groups, 1), expected) << filter.scope << " " << bits;
    }
  }
  EXPECT_GT(lines, 10'000u);
}

TEST_F(UsageSumsTest, DaysOfABudgetAreThoseOfItsScope) {
  for (const char* scope : {"projects/p", "projects/p/plans/a0", "projects/p/plans/a0/tasks/t1",
                            "projects/p/roles/builder"}) {
    ASSERT_OK_AND_ASSIGN(const Balance set, SetLimit(scope, 1'000'000));
    ASSERT_OK_AND_ASSIGN(const BudgetHistory history, store_->GetBudget(set.budget.id));
    std::vector<std::string> expected = Lines({.scope = scope}, {.day = true}, 1'000);
    ASSERT_FALSE(expected.empty());
    if (expected.size() > 92) {
      expected.erase(expected.begin(), expected.end() - 92);
    }
    ASSERT_EQ(history.days.size(), expected.size()) << scope;
    for (size_t i = 0; i < expected.size(); ++i) {
      const SpendDay& day = history.days[i];
      EXPECT_TRUE(expected[i].starts_with(absl::StrCat(absl::ToUnixSeconds(day.day), " ")));
      EXPECT_TRUE(expected[i].ends_with(absl::StrCat(" ", day.spent))) << expected[i];
    }
  }
}

}  // namespace
}  // namespace slipway::ledger
