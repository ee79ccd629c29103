#include "services/gateway/domain/tokens.h"

#include "lib/testkit/fake_clock.h"
#include "lib/testkit/inline_executor.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "services/gateway/domain/access_log.h"
#include "services/gateway/domain/limits.h"
#include "services/gateway/domain/tickets.h"
#include "services/gateway/rpc/merged_token.h"
#include "services/gateway/storage/schema.h"
#include "services/gateway/storage/sqlite_token_store.h"

namespace slipway::gateway {
namespace {

using testkit::FailsWithReason;
using testkit::IsOkAndHolds;

class TokensTest : public ::testing::Test {
 protected:
  testkit::FakeClock clock_;
  testkit::SequentialIds ids_;
  std::unique_ptr<sqlite::Database> database_ =
      sqlite::Database::Open(":memory:", {.migrations = kMigrations}).value();
  std::unique_ptr<events::EventLog> log_ =
      events::EventLog::Open(*database_, ids_, "gateway").value();
  SqliteTokenStore store_{*database_, *log_};
  std::unique_ptr<Tokens> tokens_ = Tokens::Open(store_, clock_, ids_).value();
};

TEST_F(TokensTest, ATokenEndsAtItsTime) {
  ASSERT_OK_AND_ASSIGN(
      const Tokens::Issued issued,
      tokens_->Create(
          {.title = "a", .role = Role::kViewer, .expire_time = clock_.Now() + absl::Hours(1)},
          "tokens/admin"));
  clock_.Advance(absl::Minutes(59));
  EXPECT_THAT(tokens_->Authenticate(issued.secret), IsOkAndHolds(issued.token));

  clock_.Advance(absl::Minutes(1));

  EXPECT_THAT(tokens_->Authenticate(issued.secret), FailsWithReason("TOKEN_INVALID"));
  // Its title is free again.
  EXPECT_OK(tokens_->Create({.title = "a", .role = Role::kViewer}, "tokens/admin"));
  EXPECT_THAT(tokens_->Create({.title = "b", .role = Role::kViewer, .expire_time = clock_.Now()},
                              "tokens/admin"),
              FailsWithReason("EXPIRY_INVALID"));
}

TEST_F(TokensTest, AOneTimeTokenEndsAfterADayEvenWhenOfferedAgain) {
  ASSERT_OK(tokens_->OfferOneTime("once"));
  clock_.Advance(kOneTimeTokenLife);

  EXPECT_THAT(tokens_->Exchange("once"), FailsWithReason("TOKEN_INVALID"));
  ASSERT_OK(tokens_->OfferOneTime("once"));
  EXPECT_THAT(tokens_->Exchange("once"), FailsWithReason("TOKEN_INVALID"));
}

TEST_F(TokensTest, RevokingTellsOnceWhoseCallsToEnd) {
  std::vector<std::string> revoked;
  tokens_ = Tokens::Open(store_, clock_, ids_, [&](const std::string& name) {
              revoked.push_back(name);
            }).value();
  ASSERT_OK_AND_ASSIGN(const Tokens::Issued issued, tokens_->CreateLocal("gateway"));

  ASSERT_OK(tokens_->Revoke(issued.token.name, "tokens/admin"));
  ASSERT_OK(tokens_->Revoke(issued.token.name, "tokens/admin"));

  EXPECT_EQ(revoked, std::vector<std::string>{issued.token.name});
  EXPECT_THAT(tokens_->Authenticate(issued.secret), FailsWithReason("TOKEN_INVALID"));
}

TEST_F(TokensTest, ATicketStandsForItsSecretForAMinute) {
  Tickets tickets(clock_, ids_);
  const std::string ticket = tickets.Issue("secret");
  EXPECT_THAT(tickets.Redeem(ticket), IsOkAndHolds("secret"));

  clock_.Advance(kTicketLife);

  EXPECT_THAT(tickets.Redeem(ticket), FailsWithReason("TOKEN_INVALID"));
}

TEST_F(TokensTest, AFloodOfDenialsDoesNotFillTheLog) {
  testkit::InlineExecutor executor;
  int appended = 0;
  AccessLog access_log(
      [&](const events::EventDraft&) {
        ++appended;
        return absl::OkStatus();
      },
      executor, clock_);
  for (int i = 0; i < 1'000; ++i) access_log.Denied("a/b", "", Role::kViewer);
  EXPECT_EQ(appended, 20);

  clock_.Advance(absl::Seconds(2));
  for (int i = 0; i < 1'000; ++i) access_log.Denied("a/b", "", Role::kViewer);
  EXPECT_EQ(appended, 22);
}

TEST(RoleTest, EachRoleIncludesTheOnesBeforeItAndNobodyIsAService) {
  EXPECT_TRUE(Allows(Role::kAdmin, Role::kViewer));
  EXPECT_TRUE(Allows(Role::kViewer, Role::kViewer));
  EXPECT_FALSE(Allows(Role::kViewer, Role::kOperator));
  EXPECT_FALSE(Allows(Role::kAdmin, Role::kService));
  EXPECT_FALSE(Allows(Role::kService, Role::kService));
  EXPECT_FALSE(Allows(Role::kAdmin, Role::kNone));
}

TEST(MergedTokenTest, APlaceInEachLogSurvivesTheToken) {
  const std::set<std::string> logs = {"ledger", "models", "planner"};
  using Kind = MergedPosition::Place::Kind;
  MergedPosition position;
  position.places["planner"] = {.kind = Kind::kToken, .token = "MTps_b2c-"};
  position.places["ledger"] = {.kind = Kind::kNow, .token = ""};
  position.places["models"] = {.kind = Kind::kEnd, .token = ""};

  EXPECT_THAT(DecodePosition(EncodePosition(position), logs), IsOkAndHolds(position));
  EXPECT_THAT(DecodePosition(EncodePosition(position), {"planner"}),
              FailsWithReason("RESUME_TOKEN_FOREIGN"));
  EXPECT_THAT(DecodePosition("!", logs), FailsWithReason("RESUME_TOKEN_INVALID"));
  EXPECT_THAT(DecodePosition(std::string(5'000, 'a'), logs),
              FailsWithReason("RESUME_TOKEN_INVALID"));
}

}  // namespace
}  // namespace slipway::gateway
