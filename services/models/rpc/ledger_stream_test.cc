#include "services/models/rpc/ledger_stream.h"

#include <gmock/gmock.h>

#include <optional>

#include "lib/base/clock.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "services/models/testing/fake_ledger.h"

namespace slipway::models {
namespace {

using testkit::FailsWithReason;
using testkit::StatusIs;

LedgerStream::Operation HoldOf(const std::string& key) {
  LedgerStream::Operation operation;
  operation.mutable_reserve()->set_key(key);
  operation.mutable_reserve()->mutable_amounts()->set_usd_nanos(10);
  return operation;
}

// Reads operations and answers none.
class SilentLedger final : public ledger::v1::LedgerService::Service {
 public:
  explicit SilentLedger(const std::string& address)
      : server_(rpc::Server::Start(
                    {.address = address, .services = {this}, .drain_timeout = absl::ZeroDuration()})
                    .value()) {}

  grpc::Status Transact(grpc::ServerContext*,
                        grpc::ServerReaderWriter<ledger::v1::TransactResponse,
                                                 ledger::v1::TransactRequest>* stream) override {
    ledger::v1::TransactRequest message;
    while (stream->Read(&message)) {
      base::MutexLock lock(mutex_);
      ++read_;
      changed_.NotifyAll();
    }
    base::MutexLock lock(mutex_);
    ++ended_;
    changed_.NotifyAll();
    return grpc::Status::OK;
  }

  void AwaitMessage() {
    base::MutexLock lock(mutex_);
    while (read_ == 0) changed_.Wait(mutex_);
  }
  void AwaitEndOfStream() {
    base::MutexLock lock(mutex_);
    while (ended_ == 0) changed_.Wait(mutex_);
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int read_ ABSL_GUARDED_BY(mutex_) = 0;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<rpc::Server> server_;
};

// What callers are told, in the order in which they are.
class Answers final {
 public:
  LedgerStream::Done Take() {
    return [this](absl::StatusOr<LedgerStream::Answer> answer) {
      base::MutexLock lock(mutex_);
      statuses_.push_back(answer.status());
      changed_.NotifyAll();
    };
  }
  std::vector<absl::Status> Await(size_t count) {
    base::MutexLock lock(mutex_);
    while (statuses_.size() < count) changed_.Wait(mutex_);
    return statuses_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<absl::Status> statuses_ ABSL_GUARDED_BY(mutex_);
};

class LedgerStreamTest : public ::testing::Test {
 protected:
  testkit::TemporaryDirectory directory_;
  const std::string address_ = "unix:" + directory_.File("ledger.sock");
  Answers answers_;
  std::optional<LedgerStream> stream_{std::in_place, rpc::MakeChannel(address_), "models"};
};

TEST_F(LedgerStreamTest, EveryOperationIsAnsweredOnce) {
  FakeLedger ledger(address_);
  for (int i = 0; i < 2'000; ++i) stream_->Start(HoldOf("k" + std::to_string(i)), answers_.Take());

  for (const absl::Status& status : answers_.Await(2'000)) EXPECT_OK(status);
  EXPECT_EQ(ledger.entries().size(), 2'000u);
  stream_.reset();
  EXPECT_EQ(answers_.Await(2'000).size(), 2'000u);
}

TEST_F(LedgerStreamTest, AFailureIsTheOperationsOwn) {
  FakeLedger ledger(address_);
  LedgerStream::Operation unknown;
  unknown.mutable_settle()->set_key("nobody");

  EXPECT_THAT(stream_->Run(unknown, absl::Seconds(30)), FailsWithReason("RESERVATION_UNKNOWN"));
  EXPECT_OK(stream_->Run(HoldOf("k"), absl::Seconds(30)));
}

TEST_F(LedgerStreamTest, ALostStreamIsReplacedByTheNextOperation) {
  FakeLedger ledger(address_);
  ASSERT_OK(stream_->Run(HoldOf("k1"), absl::Seconds(30)));
  ledger.GoAway();
  EXPECT_THAT(stream_->Run(HoldOf("k2"), absl::Seconds(30)),
              StatusIs(absl::StatusCode::kUnavailable));
  ledger.Serve();

  EXPECT_OK(rpc::RetryUnavailable(base::RealClock(), absl::Seconds(30), [&](absl::Duration left) {
    return stream_->Run(HoldOf("k2"), left).status();
  }));
  EXPECT_EQ(ledger.entries().size(), 2u);
}

TEST_F(LedgerStreamTest, AStreamThatAnswersNothingForATimeoutIsGivenUp) {
  SilentLedger ledger(address_);

  EXPECT_THAT(stream_->Run(HoldOf("k"), absl::Milliseconds(300)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  ledger.AwaitEndOfStream();
}

TEST_F(LedgerStreamTest, NobodyWaitsLongerThanHeWants) {
  testkit::FakeClock clock(absl::FromUnixSeconds(1'000'000));
  {
    FakeLedger ledger(address_);
    stream_->StartFor(HoldOf("k1"), absl::Seconds(5), clock, answers_.Take());
    EXPECT_OK(answers_.Await(1)[0]);
  }
  clock.Advance(absl::Seconds(10));
  SilentLedger silent(address_);
  stream_.emplace(rpc::MakeChannel(address_), "models");
  stream_->StartFor(HoldOf("k2"), absl::Seconds(5), clock, answers_.Take());
  silent.AwaitMessage();  // There is a stream to be given up.
  clock.Advance(absl::Seconds(4));
  EXPECT_THAT(answers_.Await(1), ::testing::SizeIs(1));

  clock.Advance(absl::Seconds(1));

  EXPECT_THAT(answers_.Await(2)[1], StatusIs(absl::StatusCode::kDeadlineExceeded));
  silent.AwaitEndOfStream();
}

TEST_F(LedgerStreamTest, WhatIsNotAnsweredFailsWhenTheStreamGoes) {
  SilentLedger ledger(address_);
  stream_->Start(HoldOf("k1"), answers_.Take());
  stream_->Start(HoldOf("k2"), answers_.Take());

  stream_.reset();

  for (const absl::Status& status : answers_.Await(2)) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  }
}

TEST_F(LedgerStreamTest, WhatWaitsIsBounded) {
  SilentLedger ledger(address_);
  for (int i = 0; i < 1'024 + 4'096 + 1; ++i) stream_->Start(HoldOf("k"), answers_.Take());

  EXPECT_THAT(answers_.Await(1)[0], FailsWithReason("QUEUE_FULL"));
}

}  // namespace
}  // namespace slipway::models
