#include "tools/bench/naive_ledger.h"

#include <utility>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/serve.h"

namespace slipway::bench {
namespace {

namespace pb = ledger::v1;
using sqlite::Sql;
using sqlite::Transaction;

constexpr int kBuckets = 15;  // Five scopes, three windows.

constexpr sqlite::Migration kMigrations[] = {
    {1,
     "CREATE TABLE bucket(id INTEGER PRIMARY KEY NOT NULL, spend_limit INTEGER NOT NULL,"
     " posted INTEGER NOT NULL, reserved INTEGER NOT NULL) STRICT;"
     "CREATE TABLE reservation(key TEXT PRIMARY KEY NOT NULL, state INTEGER NOT NULL,"
     " held INTEGER NOT NULL, owner TEXT NOT NULL, task TEXT NOT NULL, time_us INTEGER NOT NULL)"
     " STRICT;"
     "CREATE TABLE leg(reservation TEXT NOT NULL, bucket INTEGER NOT NULL,"
     " amount INTEGER NOT NULL, PRIMARY KEY(reservation,bucket)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE usage(reservation TEXT PRIMARY KEY NOT NULL, cost INTEGER NOT NULL,"
     " input INTEGER NOT NULL, cache_read INTEGER NOT NULL, output INTEGER NOT NULL,"
     " model TEXT NOT NULL, time_us INTEGER NOT NULL) STRICT;"}};

constexpr Sql kAddBucket =
    "INSERT OR IGNORE INTO bucket(id,spend_limit,posted,reserved) VALUES(?,1000000000000000,0,0)";
constexpr Sql kHold =
    "UPDATE bucket SET reserved=reserved+?1 WHERE id=?2 AND posted+reserved+?1<=spend_limit";
constexpr Sql kAddReservation =
    "INSERT INTO reservation(key,state,held,owner,task,time_us) VALUES(?,1,?,?,?,?)";
constexpr Sql kAddLeg = "INSERT INTO leg(reservation,bucket,amount) VALUES(?,?,?)";
constexpr Sql kEnd = "UPDATE reservation SET state=3 WHERE key=? AND state=1 RETURNING held";
constexpr Sql kPost = "UPDATE bucket SET reserved=reserved-?,posted=posted+? WHERE id=?";
constexpr Sql kEndLegs = "UPDATE leg SET amount=0 WHERE reservation=?";
constexpr Sql kAddUsage =
    "INSERT INTO usage(reservation,cost,input,cache_read,output,model,time_us)"
    " VALUES(?,?,?,?,?,?,?)";

}  // namespace

absl::StatusOr<std::unique_ptr<NaiveLedger>> NaiveLedger::Open(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<sqlite::Database> database,
                   sqlite::Database::Open(path, {.migrations = kMigrations}));
  RETURN_IF_ERROR(database->Write([](Transaction& transaction) -> absl::Status {
    for (int bucket = 1; bucket <= kBuckets; ++bucket) {
      RETURN_IF_ERROR(transaction.Execute(kAddBucket, bucket));
    }
    return absl::OkStatus();
  }));
  return std::unique_ptr<NaiveLedger>(new NaiveLedger(std::move(database)));
}

absl::StatusOr<pb::ReserveResponse> NaiveLedger::Reserve(const rpc::Call&,
                                                         const pb::ReserveRequest& request) {
  const int64_t amount = request.amounts().usd_nanos();
  RETURN_IF_ERROR(database_->Write([&](Transaction& transaction) -> absl::Status {
    for (int bucket = 1; bucket <= kBuckets; ++bucket) {
      RETURN_IF_ERROR(transaction.Execute(kHold, amount, bucket));
      if (transaction.changes() != 1) {
        return absl::ResourceExhaustedError("a bucket has no room for it");
      }
    }
    RETURN_IF_ERROR(transaction.Execute(kAddReservation, request.key(), amount, request.owner(),
                                        request.scopes().task(), base::RealClock().Now()));
    for (int bucket = 1; bucket <= kBuckets; ++bucket) {
      RETURN_IF_ERROR(transaction.Execute(kAddLeg, request.key(), bucket, amount));
    }
    return absl::OkStatus();
  }));
  pb::ReserveResponse response;
  response.mutable_reservation()->set_key(request.key());
  response.mutable_reservation()->set_state(pb::Reservation::STATE_HELD);
  return response;
}

absl::StatusOr<pb::SettleResponse> NaiveLedger::Settle(const rpc::Call&,
                                                       const pb::SettleRequest& request) {
  RETURN_IF_ERROR(database_->Write([&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const int64_t held,
                     transaction.QueryOne(
                         kEnd, [](const sqlite::Row& row) { return row.Int64(0); }, request.key()));
    for (int bucket = 1; bucket <= kBuckets; ++bucket) {
      RETURN_IF_ERROR(transaction.Execute(kPost, held, request.cost_usd_nanos(), bucket));
    }
    RETURN_IF_ERROR(transaction.Execute(kEndLegs, request.key()));
    return transaction.Execute(kAddUsage, request.key(), request.cost_usd_nanos(),
                               request.tokens().input(), request.tokens().cache_read(),
                               request.tokens().output(), request.model(), base::RealClock().Now());
  }));
  pb::SettleResponse response;
  response.mutable_reservation()->set_key(request.key());
  response.mutable_reservation()->set_state(pb::Reservation::STATE_SETTLED);
  return response;
}

absl::StatusOr<pb::ListPricesResponse> NaiveLedger::ListPrices(const rpc::Call&,
                                                               const pb::ListPricesRequest&) {
  return pb::ListPricesResponse();
}

grpc::ServerUnaryReactor* NaiveLedgerService::Reserve(grpc::CallbackServerContext* context,
                                                      const pb::ReserveRequest* request,
                                                      pb::ReserveResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &ledger_, &NaiveLedger::Reserve);
}

grpc::ServerUnaryReactor* NaiveLedgerService::Settle(grpc::CallbackServerContext* context,
                                                     const pb::SettleRequest* request,
                                                     pb::SettleResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &ledger_, &NaiveLedger::Settle);
}

grpc::ServerUnaryReactor* NaiveLedgerService::ListPrices(grpc::CallbackServerContext* context,
                                                         const pb::ListPricesRequest* request,
                                                         pb::ListPricesResponse* response) {
  return rpc::ServeUnary(executor_, context, request, response, &ledger_, &NaiveLedger::ListPrices);
}

}  // namespace slipway::bench
