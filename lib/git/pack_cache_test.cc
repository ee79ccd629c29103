#include "lib/git/pack_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/git/git_fixture.h"
#include "lib/git/repository.h"
#include "lib/git/snapshot.h"

namespace slipway::git {
namespace {

Oid OidOf(char digit) { return Oid::FromBytes(std::string(Oid::kSize, digit)); }

std::shared_ptr<const std::string> Bytes(size_t size) {
  return std::make_shared<const std::string>(size, 'x');
}

TEST(PackCacheTest, WhatWasNotUsedForLongestGoesFirst) {
  PackCache cache(/*bytes_max=*/100);
  cache.Put(OidOf('a'), Bytes(40));
  cache.Put(OidOf('b'), Bytes(40));
  ASSERT_NE(cache.Find(OidOf('a')), nullptr);

  cache.Put(OidOf('c'), Bytes(40));

  EXPECT_NE(cache.Find(OidOf('a')), nullptr);
  EXPECT_EQ(cache.Find(OidOf('b')), nullptr);
  EXPECT_NE(cache.Find(OidOf('c')), nullptr);
}

TEST(PackCacheTest, ASecondPutOfAnObjectTakesNoRoom) {
  PackCache cache(/*bytes_max=*/100);
  cache.Put(OidOf('a'), Bytes(60));
  cache.Put(OidOf('a'), Bytes(60));
  cache.Put(OidOf('b'), Bytes(40));
  EXPECT_NE(cache.Find(OidOf('a')), nullptr);
}

TEST(PackCacheTest, LargeObjectsAreNotKept) {
  PackCache cache;
  cache.Put(OidOf('a'), Bytes(PackCache::kEntryBytesMax + 1));
  EXPECT_EQ(cache.Find(OidOf('a')), nullptr);
}

class CachedSnapshotTest : public GitFixture {};

TEST_F(CachedSnapshotTest, EveryPackIsWhatItIsWithoutACache) {
  const std::string path = MakeWorkRepository("work");
  WriteFile(path + "/a/one.txt", "one\n");
  WriteFile(path + "/large.txt", std::string(3u << 20, 'y'));
  const Oid first = CommitAll(path, "first");
  WriteFile(path + "/a/two.txt", "two\n");
  const Oid second = CommitAll(path, "second");
  ASSERT_OK_AND_ASSIGN(const Repository repository, Repository::Open(path));
  PackCache cache;
  for (const Oid& commit : {first, second, first}) {
    std::string plain, cached;
    ASSERT_OK(WriteSnapshotPack(repository, commit, [&](absl::string_view chunk) {
      absl::StrAppend(&plain, chunk);
      return absl::OkStatus();
    }));
    ASSERT_OK(WriteSnapshotPack(repository, commit,
                                [&](absl::string_view chunk) {
                                  absl::StrAppend(&cached, chunk);
                                  return absl::OkStatus();
                                },
                                {.cache = &cache}));
    EXPECT_EQ(cached, plain);
  }
}

}  // namespace
}  // namespace slipway::git
