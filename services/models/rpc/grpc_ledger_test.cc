#include "services/models/rpc/grpc_ledger.h"

#include <gmock/gmock.h>
#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/server_builder.h>

#include <thread>

#include "lib/rpc/channel.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "services/models/domain/limits.h"
#include "services/models/testing/fake_ledger.h"

namespace slipway::models {
namespace {

using testkit::FailsWithReason;

constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr int64_t kTokens = 1'000;
constexpr int64_t kUsdNanos = kTokens * FakeLedger::kInputPico / 1'000;

class RatesTest : public ::testing::Test {
 protected:
  absl::StatusOr<Quote> Bound() { return ledger_.BoundCall("p", "m", "default", kTokens); }
  std::optional<Quote> Known() { return ledger_.KnownBound("p", "m", "default", kTokens); }
  void Refresh() { ledger_.RefreshBound("p", "m", "default", kTokens); }

  testkit::TemporaryDirectory directory_;
  const std::string address_ = "unix:" + directory_.File("ledger.sock");
  testkit::FakeClock clock_;
  FakeLedger fake_{address_};
  GrpcLedger ledger_{address_, clock_};
};

TEST_F(RatesTest, AreAskedForOnceAndUsedWhileTheyAreYoung) {
  EXPECT_EQ(Known(), std::nullopt);
  ASSERT_OK_AND_ASSIGN(const Quote asked, Bound());
  EXPECT_EQ(asked.input_usd_nanos, kUsdNanos);
  EXPECT_EQ(asked.output_pico_usd, FakeLedger::kOutputPico);

  clock_.Advance(kRatesAgeMax - absl::Nanoseconds(1));

  ASSERT_OK_AND_ASSIGN(const Quote known, Bound());
  EXPECT_EQ(known.input_usd_nanos, kUsdNanos);
  EXPECT_EQ(known.output_pico_usd, FakeLedger::kOutputPico);
  EXPECT_EQ(fake_.quotes(), 1);
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(Known(), std::nullopt);
  EXPECT_OK(Bound());
  EXPECT_EQ(fake_.quotes(), 2);
}

TEST_F(RatesTest, AreThoseOfTheirModelAndTier) {
  ASSERT_OK(Bound());

  EXPECT_EQ(ledger_.KnownBound("q", "m", "default", kTokens), std::nullopt);
  EXPECT_EQ(ledger_.KnownBound("p", "n", "default", kTokens), std::nullopt);
  EXPECT_EQ(ledger_.KnownBound("p", "m", "flex", kTokens), std::nullopt);
  EXPECT_NE(Known(), std::nullopt);
}

TEST_F(RatesTest, AreRefreshedInTheSecondHalfOfTheirAgeAndLastOn) {
  Refresh();  // Also where nothing is known yet.
  EXPECT_EQ(fake_.quotes(), 1);
  clock_.Advance(kRatesAgeMax / 2 - absl::Nanoseconds(1));
  Refresh();
  EXPECT_EQ(fake_.quotes(), 1);
  clock_.Advance(absl::Nanoseconds(1));

  Refresh();

  EXPECT_EQ(fake_.quotes(), 2);
  clock_.Advance(kRatesAgeMax - absl::Nanoseconds(1));
  EXPECT_NE(Known(), std::nullopt);
}

TEST_F(RatesTest, ARefreshThatFailsTakesNothingAwayAndIsRepeated) {
  ASSERT_OK(Bound());
  clock_.Advance(kRatesAgeMax / 2);
  fake_.SetPriceKnown(false);
  Refresh();
  EXPECT_NE(Known(), std::nullopt);

  Refresh();

  EXPECT_EQ(fake_.quotes(), 3);
  clock_.Advance(kRatesAgeMax / 2);
  EXPECT_EQ(Known(), std::nullopt);
  EXPECT_THAT(Bound(), FailsWithReason("PRICE_UNKNOWN"));
}

// Quotes that take as long as the test likes, with dearer rates from 2,000 tokens on.
class SlowQuotes final : public ledger::v1::LedgerService::Service {
 public:
  explicit SlowQuotes(const std::string& address)
      : server_(rpc::Server::Start(
                    {.address = address, .services = {this}, .drain_timeout = absl::ZeroDuration()})
                    .value()) {}

  grpc::Status Quote(grpc::ServerContext*, const ledger::v1::QuoteRequest* request,
                     ledger::v1::QuoteResponse* response) override {
    base::MutexLock lock(mutex_);
    ++asked_;
    changed_.NotifyAll();
    while (held_) changed_.Wait(mutex_);
    const bool large = request->input_tokens() >= 2'000;
    response->set_input_pico_usd(large ? 2'000 : 1'000);
    if (large) response->set_input_tokens_from(2'000);
    if (!large) response->set_input_tokens_below(2'000);
    response->set_input_usd_nanos(request->input_tokens() * (large ? 2 : 1));
    return grpc::Status::OK;
  }
  void Hold(bool held) {
    base::MutexLock lock(mutex_);
    held_ = held;
    changed_.NotifyAll();
  }
  void AwaitAsked(int count) {
    base::MutexLock lock(mutex_);
    while (asked_ < count) changed_.Wait(mutex_);
  }
  int asked() {
    base::MutexLock lock(mutex_);
    return asked_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int asked_ ABSL_GUARDED_BY(mutex_) = 0;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<rpc::Server> server_;
};

class SlowRatesTest : public ::testing::Test {
 protected:
  testkit::TemporaryDirectory directory_;
  const std::string address_ = "unix:" + directory_.File("ledger.sock");
  testkit::FakeClock clock_;
  SlowQuotes quotes_{address_};
  GrpcLedger ledger_{address_, clock_};
};

TEST_F(SlowRatesTest, OneRefreshAtATimeAndTheOthersDoNotWaitForIt) {
  quotes_.Hold(true);
  std::thread first([this] { ledger_.RefreshBound("p", "m", "", kTokens); });
  quotes_.AwaitAsked(1);

  ledger_.RefreshBound("p", "m", "", kTokens);
  ledger_.RefreshBound("p", "other", "", kTokens);

  EXPECT_EQ(quotes_.asked(), 1);
  quotes_.Hold(false);
  first.join();
  ledger_.RefreshBound("p", "other", "", kTokens);
  EXPECT_EQ(quotes_.asked(), 2);
}

TEST_F(SlowRatesTest, RatesCountForTheirRangeOfTokensOnly) {
  ASSERT_OK(ledger_.BoundCall("p", "m", "", 1'999));
  EXPECT_EQ(ledger_.KnownBound("p", "m", "", 2'000), std::nullopt);

  ASSERT_OK(ledger_.BoundCall("p", "m", "", 2'000));

  EXPECT_EQ(ledger_.KnownBound("p", "m", "", 1'000)->input_usd_nanos, 1'000);
  EXPECT_EQ(ledger_.KnownBound("p", "m", "", 3'000)->input_usd_nanos, 6'000);
}

// Counts who asks for its health.
class AskedForHealth final : public grpc::health::v1::Health::Service {
 public:
  explicit AskedForHealth(const std::string& address) {
    grpc::ServerBuilder builder;
    // Whatever this process has switched on: that one would not count.
    builder.SetOption(std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~AskedForHealth() override { server_->Shutdown(); }

  grpc::Status Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest*,
                     grpc::health::v1::HealthCheckResponse*) override {
    base::MutexLock lock(mutex_);
    ++asked_;
    changed_.NotifyAll();
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "what is answered does not matter");
  }
  // Whether it was asked so often within `patience`.
  bool Await(int count, absl::Duration patience) {
    base::MutexLock lock(mutex_);
    while (asked_ < count) {
      if (!changed_.WaitFor(mutex_, patience)) return asked_ >= count;
    }
    return true;
  }
  int asked() {
    base::MutexLock lock(mutex_);
    return asked_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int asked_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<grpc::Server> server_;
};

class PollKeeperTest : public ::testing::Test {
 protected:
  testkit::TemporaryDirectory directory_;
  const std::string address_ = "unix:" + directory_.File("server.sock");
};

// gRPC's threads wait a second; a machine that is busy may be late, but not each time.
TEST_F(PollKeeperTest, AsksMoreOftenThanOnceASecond) {
  AskedForHealth server(address_);
  const absl::Duration begin = base::RealClock().Elapsed();
  const PollKeeper keeper(rpc::MakeChannel(address_));

  ASSERT_TRUE(server.Await(6, kPatience));

  EXPECT_LT(base::RealClock().Elapsed() - begin, absl::Seconds(5));
}

TEST_F(PollKeeperTest, GoesOnWhenTheServerComesBack) {
  const PollKeeper keeper(rpc::MakeChannel(address_));
  {
    AskedForHealth server(address_);
    ASSERT_TRUE(server.Await(1, kPatience));
  }

  AskedForHealth again(address_);

  EXPECT_TRUE(again.Await(2, kPatience));
}

TEST_F(PollKeeperTest, AsksNoMoreOnceItIsGone) {
  AskedForHealth server(address_);
  {
    const PollKeeper keeper(rpc::MakeChannel(address_));
    ASSERT_TRUE(server.Await(2, kPatience));
  }
  const int asked = server.asked();

  // One may be on its way.
  EXPECT_FALSE(server.Await(asked + 2, absl::Seconds(1.5)));
}

}  // namespace
}  // namespace slipway::models
