#include "tools/bench/storm.h"

#include <cstdlib>
#include <iostream>

#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::bench {
namespace {

// LEDGER_STORM_KILLS asks for more than the few that fit into every run of the tests.
int KillsWanted() {
  const char* const text = std::getenv("LEDGER_STORM_KILLS");
  return text == nullptr ? 5 : std::atoi(text);
}

void ExpectNothingLostNorOverspent(const StormReport& report) {
  EXPECT_EQ(report.granted, report.limit);
  EXPECT_EQ(report.recorded_calls, report.limit);
  EXPECT_LE(report.OverspendFactor(), 1.0);
  EXPECT_EQ(report.recorded_usd_nanos, report.billed_usd_nanos);
  EXPECT_EQ(report.leftover_holds, 0);
  EXPECT_EQ(report.lost, 0);
  EXPECT_GT(report.audits, 0);
  EXPECT_EQ(report.audit_breaches, 0);
}

TEST(LedgerStorm, ExactlyAsManyCallsAsTheBudgetHasAreGranted) {
  const testkit::TemporaryDirectory directory;
  ASSERT_OK_AND_ASSIGN(const StormReport report, RunStorm({.program = SLIPWAY_LEDGER,
                                                           .directory = directory.path(),
                                                           .clients = 256,
                                                           .limit = 500}));
  ExpectNothingLostNorOverspent(report);
}

TEST(LedgerStorm, KillsLoseNothingThatWasAcknowledged) {
  const testkit::TemporaryDirectory directory;
  const int kills = KillsWanted();
  // Enough calls that clients are at work when the last of the kills comes.
  ASSERT_OK_AND_ASSIGN(const StormReport report, RunStorm({.program = SLIPWAY_LEDGER,
                                                           .directory = directory.path(),
                                                           .clients = 32,
                                                           .limit = 900 * (kills + 1),
                                                           .kills = kills,
                                                           .seed = 7}));
  EXPECT_GT(report.kills, 0);
  // Those that came while clients were at work; the rest of what was asked for came too late.
  std::cout << "kills that landed: " << report.kills << " of " << kills << ", audits "
            << report.audits << ", calls " << report.recorded_calls << "\n";
  RecordProperty("kills_landed", report.kills);
  ExpectNothingLostNorOverspent(report);
}

}  // namespace
}  // namespace slipway::bench
