#include "services/dispatcher/simulator/failpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/dispatcher/simulator/failpoint.h"

namespace slipway::dispatcher::simulator {
namespace {

using ::testing::IsEmpty;

TEST(FailpointsTest, EveryKindOfFaultAtEveryKindOfBoundaryHoldsEveryInvariant) {
  const FailpointMatrix matrix(/*seed=*/1, /*steps=*/240);
  ASSERT_GT(matrix.boundaries(), 300) << "a history in which something happens";
  // A prime, so that every fault comes up at boundaries of every kind.
  const simulation::Campaign::Result result = matrix.Collect(/*threads=*/2, /*every=*/7);
  EXPECT_THAT(result.failures, IsEmpty());
  EXPECT_EQ(result.run, (matrix.size() + 6) / 7);
  for (int fault = 0; fault < kFailpointFaultCount; ++fault) {
    for (int boundary = 0; boundary < kBoundaryCount; ++boundary) {
      const std::string what = absl::StrCat(NameOf(static_cast<FailpointFault>(fault)), " at a ",
                                            NameOf(static_cast<Boundary>(boundary)));
      EXPECT_GT(result.coverage.count(what), 0u) << what << " never occurred";
    }
  }
}

struct MutantHistory {
  Mutant mutant;
  uint64_t seed = 1;  // Of a history in which a fault can show it.
};

class FailpointMutantTest : public ::testing::TestWithParam<MutantHistory> {};

TEST_P(FailpointMutantTest, IsFoundByOneFaultAtTheRightPlace) {
  const auto [mutant, seed] = GetParam();
  const simulation::Campaign::Result result =
      FailpointMatrix(seed, /*steps=*/120, mutant).Collect(/*threads=*/2, /*every=*/1);
  EXPECT_FALSE(result.failures.empty()) << NameOf(mutant) << " in " << result.run;
}

INSTANTIATE_TEST_SUITE_P(, FailpointMutantTest,
                         ::testing::Values(MutantHistory{Mutant::kSyncsLie},
                                           MutantHistory{Mutant::kReplyBeforeCommit},
                                           MutantHistory{Mutant::kNoEpochCheck},
                                           MutantHistory{Mutant::kAgentNeverFences, /*seed=*/2},
                                           MutantHistory{Mutant::kLostAtRestart},
                                           MutantHistory{Mutant::kEpochSetBack},
                                           MutantHistory{Mutant::kKeysNeverRevoked},
                                           MutantHistory{Mutant::kMergedTwice}),
                         [](const auto& info) {
                           return absl::StrReplaceAll(NameOf(info.param.mutant), {{"-", "_"}});
                         });

}  // namespace
}  // namespace slipway::dispatcher::simulator
