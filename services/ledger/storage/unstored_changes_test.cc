#include "services/ledger/storage/unstored_changes.h"

#include <thread>

#include "lib/testkit/matchers.h"

namespace slipway::ledger {
namespace {

Changes ChangeOf(const std::string& key) {
  Changes changes;
  changes.added.push_back({.order = {.key = key}});
  return changes;
}

TEST(UnstoredChanges, KnowAKeyUntilItsLastChangeIsStored) {
  UnstoredChanges unstored([] {});
  unstored.Add(ChangeOf("a"));
  unstored.Add(ChangeOf("b"));
  unstored.Add(ChangeOf("a"));

  EXPECT_TRUE(unstored.Contains("a"));
  EXPECT_FALSE(unstored.Contains("c"));
  unstored.OnStored(2);
  EXPECT_TRUE(unstored.Contains("a"));
  EXPECT_FALSE(unstored.Contains("b"));
  unstored.OnStored(1);
  EXPECT_FALSE(unstored.Contains("a"));
}

TEST(UnstoredChanges, AreWaitedForUntilAnotherThreadHasStoredThem) {
  UnstoredChanges unstored([] {});
  for (int i = 0; i < 3; ++i) unstored.Add({});
  EXPECT_OK(unstored.WaitUntil(3));
  std::thread storing([&unstored] {
    for (int i = 0; i < 3; ++i) unstored.OnStored(1);
  });

  EXPECT_OK(unstored.WaitUntil(0));

  storing.join();
}

TEST(UnstoredChanges, OfAnOwnerWhoStoresThemAreStoredWhenWaitedFor) {
  int stored = 0;
  UnstoredChanges* self = nullptr;
  UnstoredChanges unstored([&] {
    ++stored;
    self->OnStored(2);
  });
  self = &unstored;
  unstored.Add(ChangeOf("a"));
  unstored.Add(ChangeOf("b"));

  EXPECT_OK(unstored.WaitUntil(2));
  EXPECT_EQ(stored, 0);
  EXPECT_OK(unstored.WaitUntil(0));
  EXPECT_EQ(stored, 1);
}

TEST(UnstoredChanges, ThatAreLostEndTheWait) {
  UnstoredChanges unstored([] {});
  unstored.Add(ChangeOf("a"));
  std::thread losing([&unstored] { unstored.OnLost(absl::DataLossError("no disk")); });

  EXPECT_EQ(unstored.WaitUntil(0), absl::DataLossError("no disk"));

  losing.join();
  EXPECT_TRUE(unstored.Contains("a"));
}

}  // namespace
}  // namespace slipway::ledger
