#include "services/models/domain/settler.h"

#include <gtest/gtest.h>

#include <vector>

#include "lib/base/error.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "services/models/domain/limits.h"
#include "services/models/storage/sqlite_store.h"

namespace slipway::models {
namespace {

using ::slipway::testkit::FailsWithReason;

// Answers what a test tells it about settlements, and is asked nothing else.
class SettlingLedger final : public Ledger {
 public:
  absl::StatusOr<int64_t> Settle(const Settlement&) override {
    ++asked;
    return answer;
  }
  absl::Status CloseOwner(const std::string&) override { return absl::OkStatus(); }

  absl::StatusOr<Quote> QuoteCall(const std::string&, const std::string&, const std::string&,
                                  int64_t, int64_t) override {
    return absl::InternalError("asked for a quote");
  }
  absl::StatusOr<Quote> BoundCall(const std::string&, const std::string&, const std::string&,
                                  int64_t) override {
    return absl::InternalError("asked for a bound");
  }
  std::optional<Quote> KnownBound(const std::string&, const std::string&, const std::string&,
                                  int64_t) override {
    return std::nullopt;
  }
  void RefreshBound(const std::string&, const std::string&, const std::string&, int64_t) override {}
  absl::StatusOr<Hold> Reserve(const HoldRequest&) override {
    return absl::InternalError("asked for a hold");
  }
  void StartReserve(const HoldRequest&, HoldDone done) override {
    std::move(done)(absl::InternalError("asked for a hold"));
  }

  absl::StatusOr<int64_t> answer =
      base::Error(absl::StatusCode::kNotFound, "RESERVATION_UNKNOWN", "no such reservation");
  int asked = 0;
};

class SettlerTest : public ::testing::Test {
 protected:
  // Owed from now on.
  void Owe(Settlement::Kind kind) {
    ASSERT_OK(store_->Owe({.reservation = "call", .kind = kind}, "models-1"));
  }
  bool IsOwed() { return !store_->Owed("", 10).value().empty(); }

  testkit::FakeClock clock_;
  std::unique_ptr<SqliteStore> store_ =
      SqliteStore::Open(":memory:", clock_, base::RandomIds()).value();
  SettlingLedger ledger_;
  Settler settler_{*store_, ledger_, clock_};
};

TEST_F(SettlerTest, AReleaseIsRepeatedWhileTheReserveMayStillArriveWhateverTheWallClockDoes) {
  Owe(Settlement::Kind::kRelease);
  EXPECT_THAT(settler_.SettleOwed("models-1"), FailsWithReason("RESERVATION_UNKNOWN"));
  clock_.StepWall(absl::Hours(2));
  clock_.Advance(kReserveInFlightMax - absl::Seconds(1));
  EXPECT_THAT(settler_.SettleOwed("models-1"), FailsWithReason("RESERVATION_UNKNOWN"));
  EXPECT_TRUE(IsOwed()) << "the reserve may be on its way";

  clock_.StepWall(-absl::Hours(9));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(settler_.SettleOwed("models-1"), FailsWithReason("RESERVATION_UNKNOWN"));
  EXPECT_FALSE(IsOwed()) << "it never will";
  EXPECT_EQ(ledger_.asked, 3);
}

TEST_F(SettlerTest, AReserveThatArrivesAfterItsReleaseIsReleased) {
  Owe(Settlement::Kind::kRelease);
  EXPECT_THAT(settler_.SettleOwed("models-1"), FailsWithReason("RESERVATION_UNKNOWN"));
  ledger_.answer = 0;
  EXPECT_OK(settler_.SettleOwed("models-1"));
  EXPECT_FALSE(IsOwed());
}

TEST_F(SettlerTest, UsageOfAHoldThatTheLedgerDoesNotKnowIsNotOwedForEver) {
  Owe(Settlement::Kind::kUsage);
  EXPECT_THAT(settler_.SettleOwed("models-1"), FailsWithReason("RESERVATION_UNKNOWN"));
  EXPECT_FALSE(IsOwed());
}

TEST_F(SettlerTest, ALedgerThatIsAwayIsAskedAgain) {
  Owe(Settlement::Kind::kUsage);
  ledger_.answer = absl::UnavailableError("away");
  EXPECT_EQ(settler_.SettleOwed("models-1").code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(IsOwed());
}

}  // namespace
}  // namespace slipway::models
