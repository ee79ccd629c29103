#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "services/models/testing/held_database.h"
#include "services/models/testing/server_fixture.h"

namespace slipway::models {
namespace {

using ledger::v1::Reservation;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kLongEnough = absl::Milliseconds(300);  // For what must not happen.

// In which order a call is held, recorded and sent.
class OrderTest : public ServerFixture {
 protected:
  void SetUp() override {
    ServerFixture::SetUp();
    endpoint_.Then(FakeEndpoint::Stream({FakeEndpoint::Text("Hello"), FakeEndpoint::Stop(),
                                         FakeEndpoint::Usage(10, 0, 20), FakeEndpoint::Done()}));
    StartServer();
    key_ = IssueKey();
    ASSERT_EQ(Chat(key_, "writer").result.http_status, 200);  // The key is known from here on.
    ledger_.AwaitEnd(ledger_.AwaitCall(1));
  }

  std::string key_;
};

TEST_F(OrderTest, TheLedgerIsAskedBesideTheRecordAndNothingIsSentBeforeIt) {
  http::Client::Response response;
  std::thread agent;
  {
    const HeldDatabase no_writes(directory_.File("models.db"));
    agent = std::thread([&] { response = Chat(key_, "chat", R"("stream":true)"); });
    ledger_.AwaitCall(2);

    EXPECT_FALSE(endpoint_.AwaitRequest(kLongEnough));
  }
  agent.join();

  EXPECT_EQ(response.result.http_status, 200) << response.body;
  EXPECT_THAT(endpoint_.requests(), SizeIs(1));
  EXPECT_EQ(ledger_.AwaitEnd(ledger_.AwaitCall(2)).reservation.settled().usd_nanos(), 90'000);
}

TEST_F(OrderTest, NothingIsSentBeforeTheLedgerHolds) {
  ledger_.SetSilent(true);
  http::Client::Response response;
  std::thread agent([&] { response = Chat(key_, "chat", R"("stream":true)"); });
  ledger_.AwaitCall(2);

  EXPECT_FALSE(endpoint_.AwaitRequest(kLongEnough));
  ledger_.SetSilent(false);
  agent.join();

  EXPECT_EQ(response.result.http_status, 200) << response.body;
}

TEST_F(OrderTest, ACallThatCannotBeRecordedGivesItsHoldBack) {
  {
    ASSERT_OK_AND_ASSIGN(const auto database, sqlite::Database::Open(directory_.File("models.db")));
    // As if the key had ended after its call was let in.
    constexpr sqlite::Sql kNoKeys = "DELETE FROM attempt_key";
    ASSERT_OK(database->Write(
        [](sqlite::Transaction& transaction) { return transaction.Execute(kNoKeys); }));
  }

  const http::Client::Response response = Chat(key_, "chat");

  EXPECT_EQ(response.result.http_status, 401) << response.body;
  const FakeLedger::Entry entry = ledger_.AwaitEnd(ledger_.AwaitCall(2));
  EXPECT_EQ(entry.reservation.state(), Reservation::STATE_RELEASED);
  EXPECT_EQ(entry.release.proof(), ledger::v1::ReleaseRequest::PROOF_NOT_SENT);
  EXPECT_THAT(endpoint_.requests(), IsEmpty());
  EXPECT_THAT(Calls(), SizeIs(1));
}

TEST_F(OrderTest, WhatTheLedgerIsNotToldOfACallWithoutARecordIsOwed) {
  {
    ASSERT_OK_AND_ASSIGN(const auto database, sqlite::Database::Open(directory_.File("models.db")));
    constexpr sqlite::Sql kNoKeys = "DELETE FROM attempt_key";
    ASSERT_OK(database->Write(
        [](sqlite::Transaction& transaction) { return transaction.Execute(kNoKeys); }));
  }
  ledger_.RefuseReleases(2);

  EXPECT_EQ(Chat(key_, "chat").result.http_status, 401);

  // By the upkeep, which looks at what is owed.
  EXPECT_EQ(ledger_.AwaitEnd(ledger_.AwaitCall(2)).reservation.state(),
            Reservation::STATE_RELEASED);
}

}  // namespace
}  // namespace slipway::models
