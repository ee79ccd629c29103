#include "lib/base/shared_text.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace slipway::base {
namespace {

const std::string kLong = "projects/tally/plans/2026-11-22-monthly-reports";

TEST(SharedTextTest, CopiesShareTheirText) {
  const SharedText text = kLong;
  const SharedText copy = text;

  EXPECT_EQ(&copy.str(), &text.str());
  EXPECT_EQ(copy, text);
}

TEST(SharedTextTest, EqualsAndOrdersByTextWhetherSharedOrNot) {
  const SharedText text = kLong;
  const SharedText other = kLong;

  EXPECT_NE(&other.str(), &text.str());
  EXPECT_EQ(other, text);
  EXPECT_FALSE(other < text);
  EXPECT_FALSE(text < other);
  EXPECT_LT(SharedText("a"), SharedText("b"));
  EXPECT_LT(SharedText(), SharedText("a"));
  EXPECT_NE(SharedText("a"), SharedText("b"));
}

TEST(SharedTextTest, EqualTextsHaveEqualHashes) {
  absl::flat_hash_set<SharedText> set = {SharedText("t1"), SharedText("t2")};

  EXPECT_TRUE(set.contains(SharedText(std::string("t") + "1")));
  EXPECT_FALSE(set.contains(SharedText("t3")));
}

TEST(SharedTextTest, FindsWhatIsKeptByString) {
  const absl::flat_hash_map<std::string, int> by_hash = {{kLong, 1}};
  const std::map<std::string, int> by_order = {{kLong, 2}};
  const SharedText text = kLong;

  EXPECT_EQ(by_hash.at(text), 1);
  EXPECT_EQ(by_order.at(text), 2);
}

TEST(SharedTextTest, ComparesWithStringsAndLiterals) {
  const SharedText text = "t1";

  EXPECT_TRUE(text == "t1");
  EXPECT_TRUE("t1" == text);
  EXPECT_TRUE(text == std::string("t1"));
  EXPECT_TRUE(absl::string_view("t1") == text);
  EXPECT_TRUE(text != "t2");
}

TEST(SharedTextTest, EmptyIsOneText) {
  EXPECT_TRUE(SharedText().empty());
  EXPECT_TRUE(SharedText("").empty());
  EXPECT_EQ(SharedText(), SharedText(std::string()));
  EXPECT_EQ(SharedText().str(), "");
  EXPECT_EQ(SharedText().size(), 0u);
}

TEST(SharedTextTest, OutlivesTheOneThatMadeIt) {
  SharedText copy;
  {
    const SharedText text = kLong;
    copy = text;
  }
  EXPECT_EQ(copy, kLong);
}

TEST(SharedTextTest, IsCopiedByManyThreadsAtOnce) {
  const SharedText text = kLong;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&text] {
      std::set<SharedText> kept;
      for (int copies = 0; copies < 10'000; ++copies) kept = {text};
      EXPECT_EQ(kept.count(kLong), 1u);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace slipway::base
