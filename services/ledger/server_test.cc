#include "services/ledger/server.h"

#include <sstream>

#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "services/ledger/offline_audit.h"
#include "slipway/events/v1/event_log.grpc.pb.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"

namespace slipway::ledger {
namespace {

using testkit::FailsWithReason;

class LedgerServerTest : public ::testing::Test {
 protected:
  using Stub = v1::LedgerService::StubInterface;

  void SetUp() override {
    config_.mutable_listen()->set_address("unix:" + directory_.File("ledger.sock"));
    config_.set_database(directory_.File("ledger.db"));
    config_.add_price_files(SLIPWAY_PRICE_FILE);
    StartServer();
  }

  void StartServer() {
    server_.reset();
    ASSERT_OK_AND_ASSIGN(
        server_, Server::Start(config_, {.clock = base::RealClock(), .ids = base::RandomIds()}));
    stub_ = v1::LedgerService::NewStub(rpc::MakeChannel(server_->address()));
  }

  static v1::ReserveRequest CallRequest(const std::string& key, int64_t usd) {
    v1::ReserveRequest request;
    request.set_key(key);
    request.set_kind(v1::Reservation::KIND_CALL);
    request.mutable_scopes()->set_plan("projects/p/plans/a");
    request.mutable_scopes()->set_role("builder");
    request.mutable_amounts()->set_usd_nanos(usd);
    request.mutable_lifetime()->set_seconds(600);
    request.set_owner("models");
    request.set_provider("scripted");
    request.set_model("scripted-large");
    return request;
  }

  absl::StatusOr<v1::SetBudgetResponse> SetLimit(const std::string& scope, int64_t limit) {
    v1::SetBudgetRequest request;
    request.mutable_budget()->set_scope(scope);
    request.mutable_budget()->set_metric(v1::METRIC_USD_NANOS);
    request.mutable_budget()->set_window(v1::WINDOW_MONTH);
    request.mutable_budget()->set_limit(limit);
    return rpc::CallUnary(*stub_, &Stub::SetBudget, request, {.principal = "ada"});
  }

  testkit::TemporaryDirectory directory_;
  config::v1::LedgerConfig config_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::LedgerService::Stub> stub_;
};

TEST_F(LedgerServerTest, PricesACallFromQuoteToUsage) {
  ASSERT_OK(SetLimit("projects/p", 1'000'000'000));
  v1::QuoteRequest quote_request;
  quote_request.set_provider("scripted");
  quote_request.set_model("scripted-large");
  quote_request.set_input_tokens(1'000);
  quote_request.set_output_tokens(100);
  ASSERT_OK_AND_ASSIGN(const v1::QuoteResponse quote,
                       rpc::CallUnary(*stub_, &Stub::Quote, quote_request));
  EXPECT_EQ(quote.cost_usd_nanos(), 5'000'000);  // 1,000 at 4 dollars, 100 at 10.

  ASSERT_OK_AND_ASSIGN(
      const v1::ReserveResponse held,
      rpc::CallUnary(*stub_, &Stub::Reserve, CallRequest("k1", quote.cost_usd_nanos())));
  EXPECT_EQ(held.reservation().state(), v1::Reservation::STATE_HELD);
  StartServer();  // What was answered is on disk.

  v1::SettleRequest settle;
  settle.set_key("k1");
  settle.mutable_tokens()->set_input(900);
  settle.mutable_tokens()->set_output(50);
  ASSERT_OK_AND_ASSIGN(const v1::SettleResponse settled,
                       rpc::CallUnary(*stub_, &Stub::Settle, settle));
  EXPECT_EQ(settled.usage().cost_usd_nanos(), 2'300'000);

  v1::QueryUsageRequest query;
  query.set_scope("projects/p");
  query.add_group_by("plan");
  query.add_group_by("model");
  ASSERT_OK_AND_ASSIGN(const v1::QueryUsageResponse usage,
                       rpc::CallUnary(*stub_, &Stub::QueryUsage, query));
  ASSERT_EQ(usage.rollups_size(), 1);
  EXPECT_EQ(usage.rollups(0).scopes().plan(), "projects/p/plans/a");
  EXPECT_EQ(usage.rollups(0).cost_usd_nanos(), 2'300'000);

  ASSERT_OK_AND_ASSIGN(const v1::AuditResponse audit,
                       rpc::CallUnary(*stub_, &Stub::Audit, v1::AuditRequest()));
  for (const auto& check : audit.checks()) EXPECT_EQ(check.breaches_size(), 0) << check.invariant();
}

TEST_F(LedgerServerTest, DenialIsAResponseAndErrorsAreNamed) {
  ASSERT_OK(SetLimit("organisation", 10));
  ASSERT_OK_AND_ASSIGN(const v1::ReserveResponse denied,
                       rpc::CallUnary(*stub_, &Stub::Reserve, CallRequest("k1", 11)));
  EXPECT_EQ(denied.reservation().state(), v1::Reservation::STATE_DENIED);
  EXPECT_EQ(denied.reservation().denial().cause(), v1::Denial::CAUSE_NEVER_FITS);
  EXPECT_EQ(denied.reservation().denial().balance().budget().scope(), "organisation");

  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::Reserve, CallRequest("", 1)),
              FailsWithReason("KEY_INVALID"));
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::Reserve, CallRequest("k2", -1)),
              FailsWithReason("AMOUNT_INVALID"));
  v1::ReleaseRequest release;
  release.set_key("k1");
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::Release, release), FailsWithReason("PROOF_REQUIRED"));
  v1::QueryUsageRequest query;
  query.add_group_by("colour");
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::QueryUsage, query), FailsWithReason("GROUP_INVALID"));
}

TEST_F(LedgerServerTest, PriceFilesAreImportedWithTheirGuardRails) {
  v1::ImportPricesRequest request;
  request.set_file_name("mine.yaml");
  const std::string head = "version: 1\nprices:\n  - {provider: x, model: m, effective: ";
  request.set_file(head + "2026-01-02, usd_per_mtok: {input: 1, output: 2}}\n");
  ASSERT_OK_AND_ASSIGN(const v1::ImportPricesResponse first,
                       rpc::CallUnary(*stub_, &Stub::ImportPrices, request));
  EXPECT_EQ(first.added(), 1);
  ASSERT_OK_AND_ASSIGN(const v1::ImportPricesResponse again,
                       rpc::CallUnary(*stub_, &Stub::ImportPrices, request));
  EXPECT_EQ(again.unchanged(), 1);

  request.set_file(head + "2026-01-03, usd_per_mtok: {input: 1000000, output: 2}}\n");
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::ImportPrices, request),
              FailsWithReason("PRICE_SUSPICIOUS"));
  request.add_accept("x/m");
  EXPECT_OK(rpc::CallUnary(*stub_, &Stub::ImportPrices, request));

  request.set_file("version: 1\nprices:\n  - {provider: x}\n");
  const auto wrong = rpc::CallUnary(*stub_, &Stub::ImportPrices, request);
  EXPECT_THAT(wrong, FailsWithReason("PRICE_FILE_INVALID"));
  EXPECT_THAT(std::string(wrong.status().message()), ::testing::HasSubstr("mine.yaml:3:5"));
  request.add_prices();
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::ImportPrices, request),
              FailsWithReason("FIELD_INVALID"));
}

TEST_F(LedgerServerTest, TopsUpFreezesAndTellsOfABudget) {
  ASSERT_OK(SetLimit("projects/p", 1'000));
  ASSERT_OK(rpc::CallUnary(*stub_, &Stub::Reserve, CallRequest("k1", 100)));
  v1::TopUpRequest top_up;
  top_up.set_key("t1");
  top_up.set_reservation("k1");
  top_up.mutable_amounts()->set_usd_nanos(50);
  ASSERT_OK_AND_ASSIGN(const v1::TopUpResponse grown, rpc::CallUnary(*stub_, &Stub::TopUp, top_up));
  EXPECT_EQ(grown.reservation().held().usd_nanos(), 150);
  EXPECT_FALSE(grown.has_denial());

  v1::FreezeScopeRequest freeze;
  freeze.set_scope("projects/p/plans/a");
  freeze.set_frozen(true);
  freeze.set_reason("wrong model");
  ASSERT_OK(rpc::CallUnary(*stub_, &Stub::FreezeScope, freeze, {.principal = "ada"}));
  ASSERT_OK_AND_ASSIGN(
      const v1::ListFrozenScopesResponse frozen,
      rpc::CallUnary(*stub_, &Stub::ListFrozenScopes, v1::ListFrozenScopesRequest()));
  ASSERT_EQ(frozen.scopes_size(), 1);
  EXPECT_EQ(frozen.scopes(0).actor(), "ada");
  ASSERT_OK_AND_ASSIGN(const v1::ReserveResponse denied,
                       rpc::CallUnary(*stub_, &Stub::Reserve, CallRequest("k2", 1)));
  EXPECT_EQ(denied.reservation().denial().cause(), v1::Denial::CAUSE_FROZEN);
  EXPECT_EQ(denied.reservation().denial().frozen_scope(), "projects/p/plans/a");

  ASSERT_OK_AND_ASSIGN(const v1::ListBalancesResponse list,
                       rpc::CallUnary(*stub_, &Stub::ListBalances, v1::ListBalancesRequest()));
  ASSERT_EQ(list.balances_size(), 1);
  EXPECT_GT(list.balances(0).window_end_time().seconds(),
            list.balances(0).window_start_time().seconds());
  v1::GetBudgetRequest get;
  get.set_name(list.balances(0).budget().name());
  ASSERT_OK_AND_ASSIGN(const v1::GetBudgetResponse budget,
                       rpc::CallUnary(*stub_, &Stub::GetBudget, get));
  EXPECT_EQ(budget.balance().reserved(), 150);
  get.set_name("budgets/none");
  EXPECT_THAT(rpc::CallUnary(*stub_, &Stub::GetBudget, get), FailsWithReason("BUDGET_UNKNOWN"));
}

TEST_F(LedgerServerTest, AuditOfTheFileIsPrintedBesideARunningService) {
  ASSERT_OK(SetLimit("projects/p", 1'000));
  ASSERT_OK(rpc::CallUnary(*stub_, &Stub::Reserve, CallRequest("k1", 100)));
  std::ostringstream out;
  EXPECT_THAT(PrintAudit(config_.database(), out), testkit::IsOkAndHolds(true));
  EXPECT_THAT(out.str(), ::testing::HasSubstr("\"invariant\":\"I10 "));
  EXPECT_FALSE(PrintAudit(directory_.File("none.db"), out).ok());
}

TEST_F(LedgerServerTest, EventsTellWhoChangedABudget) {
  ASSERT_OK(SetLimit("projects/p", 7));
  const auto stub =
      ::slipway::events::v1::EventLogService::NewStub(rpc::MakeChannel(server_->address()));
  ASSERT_OK_AND_ASSIGN(
      const ::slipway::events::v1::ListEventsResponse page,
      rpc::CallUnary(*stub, &::slipway::events::v1::EventLogService::StubInterface::ListEvents,
                     ::slipway::events::v1::ListEventsRequest()));
  ASSERT_EQ(page.events_size(), 1);
  EXPECT_EQ(page.events(0).kind(), "budget.changed");
  EXPECT_EQ(page.events(0).payload().budget_changed().old_limit(), -1);
  EXPECT_EQ(page.events(0).payload().budget_changed().new_limit(), 7);
  EXPECT_EQ(page.events(0).payload().budget_changed().actor(), "ada");
}

}  // namespace
}  // namespace slipway::ledger
