#include <map>
#include <thread>

#include "lib/base/error.h"
#include "services/gateway/testing/gateway_fixture.h"

namespace slipway::gateway {
namespace {

using events::v1::Event;
using events::v1::WatchRequest;
using events::v1::WatchResponse;
using ::testing::ElementsAre;
using testkit::FailsWithReason;

class MergedEventsTest : public GatewayTest {
 protected:
  // A Watch and what it has seen: a gap or a repeat in a log is a failure.
  class Watcher {
   public:
    Watcher(MergedEventsTest& test, const WatchRequest& request,
            std::map<std::string, int64_t> seen = {})
        : stub_(test.Events()), seen_(std::move(seen)) {
      Authorize(context_, test.admin_);
      stream_ = stub_->Watch(&context_, request);
    }
    ~Watcher() { Cancel(); }

    bool Read() {
      if (!stream_->Read(&response_)) return false;
      for (const Event& event : response_.events()) {
        int64_t& last = seen_[event.log()];
        EXPECT_EQ(event.sequence(), last + 1) << event.log();
        last = event.sequence();
      }
      token_ = response_.resume_token();
      EXPECT_FALSE(token_.empty());
      return true;
    }
    bool ReadUntil(const std::string& log, int64_t sequence) {
      while (seen_[log] < sequence) {
        if (!Read()) return false;
      }
      return true;
    }
    void Cancel() {
      if (stream_ == nullptr) return;
      context_.TryCancel();
      while (stream_->Read(&response_)) {
      }
      stream_->Finish();
      stream_ = nullptr;
    }
    absl::Status Finish() {
      while (stream_->Read(&response_)) {
      }
      const absl::Status status = rpc::FromGrpcStatus(stream_->Finish());
      stream_ = nullptr;
      return status;
    }
    const WatchResponse& response() const { return response_; }
    const std::string& token() const { return token_; }
    const std::map<std::string, int64_t>& seen() const { return seen_; }

   private:
    std::unique_ptr<events::v1::EventLogService::Stub> stub_;
    grpc::ClientContext context_;
    std::unique_ptr<grpc::ClientReader<WatchResponse>> stream_;
    WatchResponse response_;
    std::map<std::string, int64_t> seen_;
    std::string token_;
  };

  static WatchRequest Of(const std::vector<std::string>& logs, const std::string& token = "") {
    WatchRequest request;
    for (const std::string& log : logs) request.mutable_filter()->add_logs(log);
    request.set_resume_token(token);
    return request;
  }
  absl::StatusOr<events::v1::ListEventsResponse> List(
      const events::v1::ListEventsRequest& request) {
    return Call(admin_, Events(), &events::v1::EventLogService::StubInterface::ListEvents, request);
  }
};

TEST_F(MergedEventsTest, OneStreamHasTheEventsOfAllLogs) {
  planner_.Append("plan.revised", "projects/p/plans/n");
  dispatcher_.Append("task.state_changed");
  ledger_.Append("usage.recorded");

  Watcher watcher(*this, WatchRequest());

  EXPECT_TRUE(watcher.ReadUntil("planner", 1));
  EXPECT_TRUE(watcher.ReadUntil("dispatcher", 1));
  EXPECT_TRUE(watcher.ReadUntil("ledger", 1));
  EXPECT_TRUE(watcher.ReadUntil("gateway", 1));  // The local token was made.
  models_.Append("call.finished");
  EXPECT_TRUE(watcher.ReadUntil("models", 1));
}

TEST_F(MergedEventsTest, AResumedStreamGoesOnExactlyAfterItsToken) {
  for (int i = 0; i < 700; ++i) planner_.Append("plan.revised");
  for (int i = 0; i < 600; ++i) ledger_.Append("usage.recorded");
  std::string token;
  std::map<std::string, int64_t> seen;
  int streams = 0;
  while (seen["planner"] < 700 || seen["ledger"] < 600) {
    Watcher watcher(*this, Of({"planner", "ledger"}, token), seen);
    ASSERT_TRUE(watcher.Read());
    token = watcher.token();
    seen = watcher.seen();
    ++streams;
  }
  EXPECT_GT(streams, 2);
}

TEST_F(MergedEventsTest, AServiceThatRestartsLosesAndRepeatsNothing) {
  Watcher watcher(*this, Of({"planner", "dispatcher"}));
  planner_.Append("plan.revised");
  ASSERT_TRUE(watcher.ReadUntil("planner", 1));

  planner_.Stop();
  while (watcher.response().lagging_logs().empty()) ASSERT_TRUE(watcher.Read());
  EXPECT_THAT(watcher.response().lagging_logs(), ElementsAre("planner"));
  dispatcher_.Append("task.state_changed");
  ASSERT_TRUE(watcher.ReadUntil("dispatcher", 1));  // The others go on.
  planner_.Start();
  planner_.Append("plan.revised");

  ASSERT_TRUE(watcher.ReadUntil("planner", 2));
  EXPECT_THAT(watcher.response().lagging_logs(), ElementsAre());
}

TEST_F(MergedEventsTest, ATokenOutlivesTheGateway) {
  planner_.Append("plan.revised");
  std::string token;
  {
    Watcher watcher(*this, Of({"planner"}));
    ASSERT_TRUE(watcher.ReadUntil("planner", 1));
    token = watcher.token();
  }
  StopGateway();
  planner_.Append("plan.revised");
  StartGateway();

  Watcher watcher(*this, Of({"planner"}, token), {{"planner", 1}});

  EXPECT_TRUE(watcher.ReadUntil("planner", 2));
}

TEST_F(MergedEventsTest, ConcurrentAppendsAndReconnectsLeaveNoGap) {
  constexpr int kEvents = 400;
  std::vector<std::thread> writers;
  for (FakeBackend* backend : {&planner_, &ledger_, &models_}) {
    writers.emplace_back([backend] {
      for (int i = 0; i < kEvents; ++i) backend->Append("plan.revised");
    });
  }
  std::string token;
  std::map<std::string, int64_t> seen;
  while (seen["planner"] < kEvents || seen["ledger"] < kEvents || seen["models"] < kEvents) {
    Watcher watcher(*this, Of({"planner", "ledger", "models"}, token), seen);
    for (int reads = 0; reads < 3; ++reads) {
      if (!watcher.Read()) break;
      token = watcher.token();
      seen = watcher.seen();
      if (seen["planner"] + seen["ledger"] + seen["models"] == 3 * kEvents) break;
    }
  }
  for (std::thread& writer : writers) writer.join();
}

TEST_F(MergedEventsTest, OnlyNewSkipsThePastAndKeepsThePlaceOfEveryLog) {
  planner_.Append("plan.revised");
  WatchRequest request = Of({"planner", "ledger"});
  request.set_only_new(true);
  std::string token;
  {
    Watcher watcher(*this, request, {{"planner", 1}});
    ASSERT_TRUE(watcher.Read());
    token = watcher.token();
  }
  planner_.Append("plan.revised");
  ledger_.Append("usage.recorded");

  Watcher watcher(*this, Of({"planner", "ledger"}, token), {{"planner", 1}});

  EXPECT_TRUE(watcher.ReadUntil("planner", 2));
  EXPECT_TRUE(watcher.ReadUntil("ledger", 1));
}

TEST_F(MergedEventsTest, FiltersArePassedDownToEachLog) {
  planner_.Append("plan.revised", "projects/p/plans/other");
  planner_.Append("plan.revised", "projects/p/plans/n");
  WatchRequest request = Of({"planner"});
  request.mutable_filter()->set_plan("projects/p/plans/n");

  Watcher watcher(*this, request, {{"planner", 1}});

  EXPECT_TRUE(watcher.ReadUntil("planner", 2));
}

TEST_F(MergedEventsTest, TokensOfElsewhereAreRefusedByName) {
  planner_.Append("plan.revised");
  std::string token;
  {
    Watcher watcher(*this, Of({"planner"}));
    ASSERT_TRUE(watcher.ReadUntil("planner", 1));
    token = watcher.token();
  }
  EXPECT_THAT(Watcher(*this, Of({}, "nonsense")).Finish(), FailsWithReason("RESUME_TOKEN_INVALID"));
  EXPECT_THAT(Watcher(*this, Of({}, planner_.log().EncodeToken(1))).Finish(),
              FailsWithReason("RESUME_TOKEN_INVALID"));
  EXPECT_THAT(Watcher(*this, Of({"nolog"})).Finish(), FailsWithReason("FILTER_INVALID"));

  planner_.ReplaceLog();

  const absl::Status foreign = Watcher(*this, Of({"planner"}, token)).Finish();
  EXPECT_THAT(foreign, FailsWithReason("RESUME_TOKEN_FOREIGN"));
  EXPECT_EQ(base::DetailOf(foreign)->metadata.at("log"), "planner");
}

TEST_F(MergedEventsTest, ATokenBeforeWhatIsKeptIsExpired) {
  planner_.Append("plan.revised");
  std::string token;
  {
    Watcher watcher(*this, Of({"planner"}));
    ASSERT_TRUE(watcher.ReadUntil("planner", 1));
    token = watcher.token();
  }
  for (int i = 0; i < 5; ++i) planner_.Append("plan.revised");
  ASSERT_OK(planner_.log().Compact(5));

  EXPECT_THAT(Watcher(*this, Of({"planner"}, token)).Finish(),
              FailsWithReason("RESUME_TOKEN_EXPIRED"));
}

TEST_F(MergedEventsTest, PagesOfAllLogsAreInOrderOfTimeWithoutGaps) {
  for (int i = 0; i < 25; ++i) {
    planner_.Append("plan.revised");
    if (i % 2 == 0) ledger_.Append("usage.recorded");
    if (i % 5 == 0) models_.Append("call.finished");
  }
  events::v1::ListEventsRequest request;
  request.set_page_size(7);
  for (const char* log : {"planner", "ledger", "models"}) request.mutable_filter()->add_logs(log);
  std::map<std::string, int64_t> seen;
  absl::Duration last;
  do {
    ASSERT_OK_AND_ASSIGN(const auto page, List(request));
    EXPECT_LE(page.events_size(), 7);
    for (const Event& event : page.events()) {
      EXPECT_EQ(event.sequence(), ++seen[event.log()]);
      const absl::Duration time = absl::Seconds(event.append_time().seconds()) +
                                  absl::Nanoseconds(event.append_time().nanos());
      EXPECT_GE(time, last);
      last = time;
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());

  EXPECT_EQ(seen, (std::map<std::string, int64_t>{{"ledger", 13}, {"models", 5}, {"planner", 25}}));
}

TEST_F(MergedEventsTest, AListWithoutAServiceFailsRatherThanLookWhole) {
  ledger_.Stop();

  EXPECT_THAT(List(events::v1::ListEventsRequest()), FailsWithReason("BACKEND_UNAVAILABLE"));
  events::v1::ListEventsRequest others;
  others.mutable_filter()->add_logs("planner");
  EXPECT_OK(List(others));
}

TEST_F(MergedEventsTest, AStoppingGatewayEndsItsStreamsByName) {
  Watcher watcher(*this, WatchRequest());
  ASSERT_TRUE(watcher.Read());

  server_->Stop();

  EXPECT_THAT(watcher.Finish(), FailsWithReason("SHUTTING_DOWN"));
}

}  // namespace
}  // namespace slipway::gateway
