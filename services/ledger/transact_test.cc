#include <map>
#include <set>
#include <thread>

#include "lib/base/error.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"
#include "services/ledger/server.h"
#include "slipway/ledger/v1/ledger_service.grpc.pb.h"

namespace slipway::ledger {
namespace {

using testkit::FailsWithReason;
using Operation = v1::TransactRequest::Operation;
using Answer = v1::TransactResponse::Answer;

constexpr char kScope[] = "projects/p";
constexpr int64_t kAmount = 1'000;

// The caller's end of one stream.
class Stream final {
 public:
  explicit Stream(v1::LedgerService::Stub& stub) {
    context_.AddMetadata("slipway-principal", "models");
    stream_ = stub.Transact(&context_);
  }

  bool Send(const v1::TransactRequest& message) { return stream_->Write(message); }
  void HalfClose() { stream_->WritesDone(); }
  void Cut() { context_.TryCancel(); }

  // Reads until there are `count` more answers or the stream ends.
  std::vector<Answer> Receive(size_t count) {
    std::vector<Answer> answers;
    v1::TransactResponse message;
    while (answers.size() < count && stream_->Read(&message)) {
      answers.insert(answers.end(), message.answers().begin(), message.answers().end());
    }
    return answers;
  }
  // Reads what is left, too.
  absl::Status Finish() {
    Receive(1'000'000);
    return rpc::FromGrpcStatus(stream_->Finish());
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::TransactRequest, v1::TransactResponse>> stream_;
};

class TransactTest : public ::testing::Test {
 protected:
  using Stub = v1::LedgerService::StubInterface;

  void SetUp() override {
    config_.mutable_listen()->set_address("unix:" + directory_.File("ledger.sock"));
    config_.set_database(directory_.File("ledger.db"));
    ASSERT_OK_AND_ASSIGN(
        server_, Server::Start(config_, {.clock = base::RealClock(), .ids = base::RandomIds()}));
    stub_ = v1::LedgerService::NewStub(rpc::MakeChannel(server_->address()));
    v1::SetBudgetRequest request;
    request.mutable_budget()->set_scope(kScope);
    request.mutable_budget()->set_metric(v1::METRIC_USD_NANOS);
    request.mutable_budget()->set_window(v1::WINDOW_TOTAL);
    request.mutable_budget()->set_limit(int64_t{1} << 50);
    ASSERT_OK(rpc::CallUnary(*stub_, &Stub::SetBudget, request));
  }

  static v1::ReserveRequest Call(const std::string& key) {
    v1::ReserveRequest request;
    request.set_key(key);
    request.set_kind(v1::Reservation::KIND_CALL);
    request.mutable_scopes()->set_project(kScope);
    request.mutable_amounts()->set_usd_nanos(kAmount);
    request.mutable_lifetime()->set_seconds(600);
    return request;
  }
  static v1::SettleRequest End(const std::string& key, int64_t cost) {
    v1::SettleRequest request;
    request.set_key(key);
    request.mutable_tokens()->set_output(1);
    request.set_cost_usd_nanos(cost);
    return request;
  }
  static Operation& Add(v1::TransactRequest& message, uint64_t number) {
    Operation& operation = *message.add_operations();
    operation.set_number(number);
    return operation;
  }
  // `count` calls with the keys "<prefix><number>".
  static v1::TransactRequest Calls(const std::string& prefix, int count) {
    v1::TransactRequest message;
    for (int i = 0; i < count; ++i) {
      *Add(message, static_cast<uint64_t>(i)).mutable_reserve() = Call(prefix + std::to_string(i));
    }
    return message;
  }

  // The one answer to one operation on a stream of its own.
  Answer Ask(const Operation& operation) {
    Stream stream(*stub_);
    v1::TransactRequest message;
    *message.add_operations() = operation;
    stream.Send(message);
    const std::vector<Answer> answers = stream.Receive(1);
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? Answer() : answers[0];
  }

  v1::Balance Balance() {
    const auto list = rpc::CallUnary(*stub_, &Stub::ListBalances, v1::ListBalancesRequest());
    EXPECT_OK(list);
    return list->balances(0);
  }

  static absl::Status ErrorOf(const Answer& answer) {
    return rpc::FromGrpcStatus(grpc::Status(static_cast<grpc::StatusCode>(answer.error().code()),
                                            answer.error().message(),
                                            answer.error().SerializeAsString()));
  }

  testkit::TemporaryDirectory directory_;
  config::v1::LedgerConfig config_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::LedgerService::Stub> stub_;
};

TEST_F(TransactTest, EveryOperationIsCarriedOutAndAnsweredByItsNumber) {
  v1::TransactRequest message = Calls("call-", 2);
  Operation& extend = Add(message, 10);
  extend.mutable_extend()->set_key("call-0");
  extend.mutable_extend()->mutable_lifetime()->set_seconds(1'200);
  Operation& top_up = Add(message, 11);
  top_up.mutable_top_up()->set_key("more");
  top_up.mutable_top_up()->set_reservation("call-0");
  top_up.mutable_top_up()->mutable_amounts()->set_usd_nanos(500);
  *Add(message, 12).mutable_settle() = End("call-0", 1'200);
  Operation& release = Add(message, 13);
  release.mutable_release()->set_key("call-1");
  release.mutable_release()->set_proof(v1::ReleaseRequest::PROOF_NOT_SENT);
  Operation& adjust = Add(message, 14);
  adjust.mutable_adjust()->set_key("correction");
  adjust.mutable_adjust()->set_reservation("call-0");
  adjust.mutable_adjust()->set_delta_usd_nanos(-200);
  Stream stream(*stub_);
  ASSERT_TRUE(stream.Send(message));

  std::map<uint64_t, Answer> answers;
  for (const Answer& answer : stream.Receive(7)) answers[answer.number()] = answer;

  ASSERT_EQ(answers.size(), 7u);
  EXPECT_EQ(answers[0].reserve().reservation().state(), v1::Reservation::STATE_HELD);
  EXPECT_EQ(answers[1].reserve().reservation().held().usd_nanos(), kAmount);
  EXPECT_TRUE(answers[10].extend().reservation().has_expire_time());
  EXPECT_EQ(answers[11].top_up().reservation().held().usd_nanos(), kAmount + 500);
  EXPECT_EQ(answers[12].settle().reservation().settled().usd_nanos(), 1'200);
  EXPECT_EQ(answers[13].release().reservation().state(), v1::Reservation::STATE_RELEASED);
  EXPECT_EQ(answers[14].adjust().reservation().settled().usd_nanos(), 1'000);
  EXPECT_EQ(Balance().posted(), 1'000);
  EXPECT_EQ(Balance().reserved(), 0);
}

TEST_F(TransactTest, AnAnswerRepeatsNothingOfItsRequestButTheKey) {
  Operation operation;
  *operation.mutable_reserve() = Call("call-1");
  operation.mutable_reserve()->set_owner("models");
  const v1::Reservation told = Ask(operation).reserve().reservation();

  EXPECT_EQ(told.key(), "call-1");
  EXPECT_FALSE(told.has_scopes());
  EXPECT_EQ(told.owner(), "");
  *operation.mutable_settle() = End("call-1", 10);
  EXPECT_FALSE(Ask(operation).settle().has_usage());
  ASSERT_OK_AND_ASSIGN(const v1::ReserveResponse unary, rpc::CallUnary(*stub_, &Stub::Reserve, [] {
                         v1::ReserveRequest request = Call("call-1");
                         request.set_owner("models");
                         return request;
                       }()));
  EXPECT_EQ(unary.reservation().scopes().project(), kScope);
}

TEST_F(TransactTest, AFailureIsTheUnaryCallsAndLeavesTheOthersAlone) {
  v1::TransactRequest message = Calls("call-", 3);
  message.mutable_operations(1)->mutable_reserve()->mutable_amounts()->set_usd_nanos(-1);
  *Add(message, 3).mutable_settle() = End("nobody", 1);
  Add(message, 4);  // Nothing to do.
  Stream stream(*stub_);
  ASSERT_TRUE(stream.Send(message));

  std::map<uint64_t, Answer> answers;
  for (const Answer& answer : stream.Receive(5)) answers[answer.number()] = answer;

  ASSERT_EQ(answers.size(), 5u);
  EXPECT_TRUE(answers[0].has_reserve());
  EXPECT_TRUE(answers[2].has_reserve());
  EXPECT_THAT(ErrorOf(answers[3]), FailsWithReason("RESERVATION_UNKNOWN"));
  EXPECT_THAT(ErrorOf(answers[4]), FailsWithReason("OPERATION_UNKNOWN"));
  const absl::Status unary =
      rpc::CallUnary(*stub_, &Stub::Reserve, message.operations(1).reserve()).status();
  EXPECT_THAT(unary, FailsWithReason("AMOUNT_INVALID"));
  EXPECT_EQ(ErrorOf(answers[1]), unary);
  EXPECT_EQ(base::DetailOf(ErrorOf(answers[1]))->metadata, base::DetailOf(unary)->metadata);
}

TEST_F(TransactTest, AnOperationOfALaterVersionIsUnknownNotIgnored) {
  Operation later;
  later.set_number(5);
  later.GetReflection()->MutableUnknownFields(&later)->AddLengthDelimited(99, "something new");

  EXPECT_THAT(ErrorOf(Ask(later)), FailsWithReason("OPERATION_UNKNOWN"));
}

TEST_F(TransactTest, TheSameKeysOnTwoStreamsAreHeldOnce) {
  Stream one(*stub_);
  Stream other(*stub_);
  ASSERT_TRUE(one.Send(Calls("call-", 100)));
  ASSERT_TRUE(other.Send(Calls("call-", 100)));

  for (Stream* stream : {&one, &other}) {
    const std::vector<Answer> answers = stream->Receive(100);
    ASSERT_EQ(answers.size(), 100u);
    for (const Answer& answer : answers) {
      EXPECT_EQ(answer.reserve().reservation().state(), v1::Reservation::STATE_HELD);
    }
  }
  EXPECT_EQ(Balance().reserved(), 100 * kAmount);
}

TEST_F(TransactTest, OperationsOfAStreamThatWasCutAreWholeOrAbsentAndRepeatable) {
  for (int round = 0; round < 20; ++round) {
    Stream stream(*stub_);
    ASSERT_TRUE(stream.Send(Calls("call-" + std::to_string(round) + "-", 100)));
    stream.Receive(static_cast<size_t>(round));
    stream.Cut();
    EXPECT_EQ(stream.Finish().code(), absl::StatusCode::kCancelled);
  }

  Stream again(*stub_);
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(again.Send(Calls("call-" + std::to_string(round) + "-", 100)));
    EXPECT_EQ(again.Receive(100).size(), 100u);
  }
  EXPECT_EQ(Balance().reserved(), 20 * 100 * kAmount);
}

TEST_F(TransactTest, WhoHalfClosesGetsAllAnswers) {
  Stream stream(*stub_);
  ASSERT_TRUE(stream.Send(Calls("call-", 256)));
  stream.HalfClose();

  EXPECT_EQ(stream.Receive(256).size(), 256u);
  EXPECT_OK(stream.Finish());
}

// More than are read while none is taken off the server's hands.
TEST_F(TransactTest, WhoReadsLateGetsAllAnswers) {
  Stream stream(*stub_);
  std::thread sender([&stream] {
    for (int i = 0; i < 20; ++i) stream.Send(Calls("call-" + std::to_string(i) + "-", 250));
    stream.HalfClose();
  });
  while (Balance().reserved() < 256 * kAmount) std::this_thread::yield();

  EXPECT_EQ(stream.Receive(5'000).size(), 5'000u);
  sender.join();
  EXPECT_OK(stream.Finish());
  EXPECT_EQ(Balance().reserved(), 5'000 * kAmount);
}

TEST_F(TransactTest, AMessageWithTooManyOperationsEndsTheStreamUndone) {
  Stream stream(*stub_);
  ASSERT_TRUE(stream.Send(Calls("good-", 10)));
  ASSERT_TRUE(stream.Send(Calls("bad-", 257)));

  EXPECT_EQ(stream.Receive(10).size(), 10u);
  EXPECT_THAT(stream.Finish(), FailsWithReason("MESSAGE_TOO_LARGE"));
  EXPECT_EQ(Balance().reserved(), 10 * kAmount);
}

// Each of them is freed by a thread that gRPC hands it to unseen by the sanitizer, which looks its
// suppressions through for each: minutes for a million.
#ifdef __SANITIZE_THREAD__
constexpr int kFarTooMany = 1'000;
#else
constexpr int kFarTooMany = 1'000'000;
#endif

TEST_F(TransactTest, AMillionEmptyOperationsEndTheStream) {
  v1::TransactRequest message;
  for (int i = 0; i < kFarTooMany; ++i) message.add_operations();
  Stream stream(*stub_);
  stream.Send(message);

  EXPECT_THAT(stream.Finish(), FailsWithReason("MESSAGE_TOO_LARGE"));
}

TEST_F(TransactTest, AMessageWithTooManyBytesEndsTheStreamUndone) {
  v1::TransactRequest message = Calls("call-", 2);
  message.mutable_operations(1)->mutable_reserve()->set_model(std::string(2 << 20, 'm'));
  Stream stream(*stub_);
  ASSERT_TRUE(stream.Send(message));

  EXPECT_THAT(stream.Finish(), FailsWithReason("MESSAGE_TOO_LARGE"));
  EXPECT_EQ(Balance().reserved(), 0);
}

TEST_F(TransactTest, EmptyMessagesDoNothing) {
  Stream stream(*stub_);
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(stream.Send(v1::TransactRequest()));
  ASSERT_TRUE(stream.Send(Calls("call-", 1)));

  EXPECT_EQ(stream.Receive(1).size(), 1u);
}

TEST_F(TransactTest, AStoppingLedgerAnswersWhatItHasReadAndSaysThatItStops) {
  Stream stream(*stub_);
  ASSERT_TRUE(stream.Send(Calls("call-", 1)));
  EXPECT_EQ(stream.Receive(1).size(), 1u);

  std::thread stop([this] { server_.reset(); });

  EXPECT_THAT(stream.Finish(), FailsWithReason("SHUTTING_DOWN"));
  stop.join();
}

// The number behind `series` in what /metrics shows.
int64_t Shown(const std::string& series) {
  const std::string all = metrics::Render();
  const size_t at = all.find(series);
  return at == std::string::npos ? 0 : std::stoll(all.substr(at + series.size()));
}

TEST_F(TransactTest, OperationsCountAsCallsOfTheirMethods) {
  const std::string series =
      R"(slipway_rpc_server_calls_total{rpc="slipway.ledger.v1.Reserve",code="OK"} )";
  const std::string refused =
      R"(slipway_rpc_server_calls_total{rpc="slipway.ledger.v1.Settle",code="NOT_FOUND"} )";
  const int64_t before = Shown(series);
  const int64_t refused_before = Shown(refused);
  v1::TransactRequest message = Calls("call-", 7);
  *Add(message, 8).mutable_settle() = End("nobody", 1);
  Stream stream(*stub_);
  ASSERT_TRUE(stream.Send(message));
  ASSERT_EQ(stream.Receive(8).size(), 8u);

  EXPECT_EQ(Shown(series), before + 7);
  EXPECT_EQ(Shown(refused), refused_before + 1);
}

}  // namespace
}  // namespace slipway::ledger
