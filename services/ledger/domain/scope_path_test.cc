#include "services/ledger/domain/scope_path.h"

#include "lib/testkit/matchers.h"

namespace slipway::ledger {
namespace {

using ::testing::ElementsAre;
using testkit::FailsWithReason;

TEST(ScopePathTest, ParentsFollowFromTheName) {
  ASSERT_OK_AND_ASSIGN(const ScopePath path,
                       Completed({.attempt = "projects/p/plans/2026-11-21-x/tasks/t/attempts/3",
                                  .role = "simple_builder"}));
  EXPECT_THAT(CoveringScopes(path),
              ElementsAre("organisation", "projects/p", "projects/p/roles/simple_builder",
                          "projects/p/plans/2026-11-21-x", "projects/p/plans/2026-11-21-x/tasks/t",
                          "projects/p/plans/2026-11-21-x/tasks/t/attempts/3"));
}

TEST(ScopePathTest, MalformedOrContradictingNamesAreRefused) {
  for (const ScopePath& path :
       {ScopePath{}, ScopePath{.project = "projects/"}, ScopePath{.project = "projects/P"},
        ScopePath{.project = "plans/a"}, ScopePath{.project = "projects/a/plans"},
        ScopePath{.project = "projects/a", .plan = "projects/b/plans/c"},
        ScopePath{.project = "projects/a/plans/b"},
        ScopePath{.project = "projects/a", .task = "projects/a/plans/b"},
        ScopePath{.attempt = "projects/a/plans/b/tasks/c/attempts/d/attempts/d"},
        ScopePath{.project = "projects/a", .role = "no role"}}) {
    EXPECT_THAT(Completed(path), FailsWithReason("SCOPE_INVALID")) << path.project;
  }
}

TEST(ScopePathTest, RoleCoversOnlyItsCalls) {
  ASSERT_OK_AND_ASSIGN(const ScopePath role, ParseScope("projects/p/roles/critic"));
  EXPECT_TRUE(Covers(role, {.project = "projects/p", .role = "critic"}));
  EXPECT_FALSE(Covers(role, {.project = "projects/p", .role = "builder"}));
  EXPECT_FALSE(Covers(role, {.project = "projects/p"}));
  EXPECT_THAT(ParseScope(""), FailsWithReason("SCOPE_INVALID"));
}

}  // namespace
}  // namespace slipway::ledger
