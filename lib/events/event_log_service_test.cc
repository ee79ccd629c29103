#include "lib/events/event_log_service.h"

#include <grpcpp/client_context.h>

#include <atomic>
#include <future>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/thread_pool.h"
#include "lib/events/limits.h"
#include "lib/log/scoped_sink.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"
#include "lib/rpc/status.h"
#include "lib/sqlite/group_writer.h"
#include "lib/testkit/fake_clock.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::events {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;
using ::testing::HasSubstr;

constexpr sqlite::Migration kMigrations[] = {{1, kEventLogSchema}};

// One Watch call, read in the foreground.
class Watch final {
 public:
  Watch(v1::EventLogService::Stub& stub, const v1::WatchRequest& request)
      : reader_(stub.Watch(&context_, request)) {}
  ~Watch() {
    context_.TryCancel();
    if (!finished_) Finish().IgnoreError();
  }

  bool Read() { return reader_->Read(&response_); }
  const v1::WatchResponse& response() const { return response_; }
  void Cancel() { context_.TryCancel(); }
  absl::Status Finish() {
    finished_ = true;
    while (Read()) {
    }
    return rpc::FromGrpcStatus(reader_->Finish());
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader_;
  v1::WatchResponse response_;
  bool finished_ = false;
};

v1::WatchRequest Request(const std::string& token = "", const std::string& kind = "") {
  v1::WatchRequest request;
  request.set_resume_token(token);
  if (!kind.empty()) request.mutable_filter()->add_kinds(kind);
  return request;
}

class EventLogServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(server_, rpc::Server::Start({.address = "unix:" + directory_.File("s"),
                                                      .services = {&service_},
                                                      .drain_timeout = absl::Milliseconds(300)}));
    stub_ = v1::EventLogService::NewStub(rpc::MakeChannel(server_->address()));
  }

  void TearDown() override {
    writer_.Stop();
    if (server_ != nullptr) server_->Shutdown();
    executor_.Stop();
  }

  void Append(int count, const EventDraft& draft = {.kind = "a.a"}) {
    ASSERT_OK(writer_.WriteAndWait([&](sqlite::Transaction& transaction) -> absl::Status {
      for (int i = 0; i < count; ++i) {
        RETURN_IF_ERROR(log_->Append(transaction, clock_.Now(), draft).status());
      }
      return absl::OkStatus();
    }));
  }

  absl::Status EndOfWatch(const v1::WatchRequest& request) {
    return Watch(*stub_, request).Finish();
  }

  absl::StatusOr<v1::ListEventsResponse> List(const v1::ListEventsRequest& request) {
    grpc::ClientContext context;
    v1::ListEventsResponse response;
    RETURN_IF_ERROR(rpc::FromGrpcStatus(stub_->ListEvents(&context, request, &response)));
    return response;
  }

  testkit::TemporaryDirectory directory_;
  testkit::FakeClock clock_;
  testkit::SequentialIds ids_;
  std::unique_ptr<sqlite::Database> database_ =
      sqlite::Database::Open(directory_.File("db"), {.synchronous = sqlite::Synchronous::kNormal,
                                                     .migrations = kMigrations})
          .value();
  std::unique_ptr<EventLog> log_ = EventLog::Open(*database_, ids_, "dispatcher").value();
  sqlite::GroupWriter writer_{*database_, {.on_committed = [this] { log_->NotifyAppended(); }}};
  base::ThreadPool executor_{{.threads = 4}};
  EventLogService service_{*log_, executor_, clock_};
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<v1::EventLogService::Stub> stub_;
};

TEST_F(EventLogServiceTest, WatchReplaysThenFollows) {
  Append(2);
  Watch watch(*stub_, Request());
  ASSERT_TRUE(watch.Read());
  ASSERT_EQ(watch.response().events_size(), 2);

  Append(1);

  ASSERT_TRUE(watch.Read());
  ASSERT_EQ(watch.response().events_size(), 1);
  EXPECT_EQ(watch.response().events(0).sequence(), 3);
}

TEST_F(EventLogServiceTest, EventsCarryTheirTypedPayload) {
  Append(1, {.kind = "task.state_changed",
             .project = "projects/p",
             .plan = "projects/p/plans/n",
             .task = "projects/p/plans/n/tasks/t",
             .attempt = "projects/p/plans/n/tasks/t/attempts/k",
             .payload_json = PayloadJson("task.state_changed",
                                         R"({"to":"READY","epoch":3,"of_the_future":1})")});
  Watch watch(*stub_, Request());

  ASSERT_TRUE(watch.Read());

  const v1::Event& event = watch.response().events(0);
  EXPECT_EQ(event.log(), "dispatcher");
  EXPECT_EQ(event.kind(), "task.state_changed");
  EXPECT_EQ(event.task(), "projects/p/plans/n/tasks/t");
  EXPECT_EQ(event.attempt(), "projects/p/plans/n/tasks/t/attempts/k");
  EXPECT_EQ(event.append_time().seconds(), absl::ToUnixSeconds(clock_.Now()));
  EXPECT_EQ(event.payload().task_state_changed().to(), "READY");
  EXPECT_EQ(event.payload().task_state_changed().epoch(), 3);
}

TEST_F(EventLogServiceTest, UnreadablePayloadIsLoggedAndNeverStopsTheStream) {
  base::Mutex mutex;
  std::string lines;
  const log::ScopedSink sink([&](absl::string_view line) {
    base::MutexLock lock(mutex);
    absl::StrAppend(&lines, line);
  });
  Append(1, {.kind = "task.state_changed", .payload_json = "not json"});
  Append(1, {.kind = "task.state_changed", .payload_json = R"({"to":"READY"})"});
  Append(1, {.kind = "future.kind", .payload_json = R"({"future_kind":{}})"});
  Append(1, {.kind = "run.state_changed",
             .payload_json = PayloadJson("run.state_changed", R"({"to":"DONE"})")});

  ASSERT_OK_AND_ASSIGN(const v1::ListEventsResponse response, List({}));

  ASSERT_EQ(response.events_size(), 4);
  EXPECT_FALSE(response.events(0).has_payload());
  EXPECT_FALSE(response.events(1).has_payload());
  EXPECT_EQ(response.events(3).payload().run_state_changed().to(), "DONE");
  base::MutexLock lock(mutex);
  EXPECT_THAT(lines, HasSubstr("\"sequence\":1"));
  EXPECT_THAT(lines, HasSubstr("\"sequence\":2"));
  EXPECT_THAT(lines, Not(HasSubstr("\"sequence\":3")));
}

TEST_F(EventLogServiceTest, OnlyNewSkipsThePast) {
  Append(3);
  v1::WatchRequest request;
  request.set_only_new(true);
  Watch watch(*stub_, request);
  ASSERT_TRUE(watch.Read());
  EXPECT_EQ(watch.response().events_size(), 0);  // Tells that the stream is live.

  Append(1);

  ASSERT_TRUE(watch.Read());
  ASSERT_EQ(watch.response().events_size(), 1);
  EXPECT_EQ(watch.response().events(0).sequence(), 4);
}

TEST_F(EventLogServiceTest, FilterKeepsWhatMatches) {
  Append(1, {.kind = "task.retried", .project = "projects/p"});
  Append(1, {.kind = "task.retried", .project = "projects/q"});
  Append(1, {.kind = "plan.revised", .project = "projects/p"});
  v1::WatchRequest request = Request("", "task.");
  request.mutable_filter()->set_project("projects/p");
  Watch watch(*stub_, request);

  ASSERT_TRUE(watch.Read());

  ASSERT_EQ(watch.response().events_size(), 1);
  EXPECT_EQ(watch.response().events(0).sequence(), 1);
  EXPECT_EQ(watch.response().resume_token(), log_->EncodeToken(3));
}

TEST_F(EventLogServiceTest, FilterOnAnotherLogKeepsNothing) {
  Append(1);
  v1::WatchRequest request;
  request.mutable_filter()->add_logs("ledger");
  Watch watch(*stub_, request);

  ASSERT_TRUE(watch.Read());

  EXPECT_EQ(watch.response().events_size(), 0);
}

TEST_F(EventLogServiceTest, TooManyKindsAreRefused) {
  v1::WatchRequest request;
  for (int i = 0; i <= kFilterKindsMax; ++i) request.mutable_filter()->add_kinds("a.a");

  EXPECT_THAT(EndOfWatch(request), FailsWithReason("FILTER_INVALID"));
}

TEST_F(EventLogServiceTest, TokensThatCannotBeResumedAreNamed) {
  Append(10);
  const auto other = sqlite::Database::Open(":memory:", {.migrations = kMigrations}).value();
  const auto other_log = EventLog::Open(*other, ids_, "dispatcher").value();
  ASSERT_OK(log_->Compact(6));

  EXPECT_THAT(EndOfWatch(Request("nonsense")), FailsWithReason("RESUME_TOKEN_INVALID"));
  EXPECT_THAT(EndOfWatch(Request(other_log->EncodeToken(7))),
              FailsWithReason("RESUME_TOKEN_FOREIGN"));
  EXPECT_THAT(EndOfWatch(Request(log_->EncodeToken(11))), FailsWithReason("RESUME_TOKEN_FOREIGN"));
  EXPECT_THAT(EndOfWatch(Request(log_->EncodeToken(4))), FailsWithReason("RESUME_TOKEN_EXPIRED"));
  v1::ListEventsRequest list;
  list.set_page_token(log_->EncodeToken(4));
  EXPECT_THAT(List(list), FailsWithReason("RESUME_TOKEN_EXPIRED"));
}

TEST_F(EventLogServiceTest, EmptyTokenStartsAtTheOldestEventKept) {
  Append(10);
  ASSERT_OK(log_->Compact(6));
  Watch watch(*stub_, Request());

  ASSERT_TRUE(watch.Read());

  EXPECT_EQ(watch.response().events(0).sequence(), 6);
}

TEST_F(EventLogServiceTest, IdleStreamGetsBookmarks) {
  Watch watch(*stub_, Request());
  ASSERT_TRUE(watch.Read());
  for (int i = 0; i < 3; ++i) {
    while (clock_.pending_timers() == 0) std::this_thread::yield();
    clock_.Advance(kBookmarkInterval);
    ASSERT_TRUE(watch.Read());
    EXPECT_EQ(watch.response().events_size(), 0);
    EXPECT_EQ(watch.response().resume_token(), log_->EncodeToken(0));
  }
}

TEST_F(EventLogServiceTest, FilteredOutEventsMoveTheToken) {
  Append(static_cast<int>(kScanMax) * 2 + 10, {.kind = "noise.made"});
  Append(1, {.kind = "task.retried"});
  Watch watch(*stub_, Request("", "task."));

  ASSERT_TRUE(watch.Read());
  EXPECT_EQ(watch.response().resume_token(), log_->EncodeToken(kScanMax));
  ASSERT_TRUE(watch.Read());
  EXPECT_EQ(watch.response().resume_token(), log_->EncodeToken(2 * kScanMax));
  ASSERT_TRUE(watch.Read());
  ASSERT_EQ(watch.response().events_size(), 1);
  EXPECT_EQ(watch.response().events(0).sequence(), 2 * kScanMax + 11);
}

TEST_F(EventLogServiceTest, ListEventsPagesToTheEnd) {
  Append(1'700, {.kind = "noise.made"});
  Append(5, {.kind = "task.retried"});
  v1::ListEventsRequest request;
  request.set_page_size(2);
  request.mutable_filter()->add_kinds("task.retried");

  std::vector<int64_t> sequences;
  int pages = 0;
  do {
    ASSERT_OK_AND_ASSIGN(const v1::ListEventsResponse page, List(request));
    ++pages;
    EXPECT_LE(page.events_size(), 2);
    for (const v1::Event& event : page.events()) sequences.push_back(event.sequence());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());

  EXPECT_THAT(sequences, ::testing::ElementsAre(1'701, 1'702, 1'703, 1'704, 1'705));
  EXPECT_EQ(pages, 3);
}

TEST_F(EventLogServiceTest, NegativePageSizeIsRefused) {
  v1::ListEventsRequest request;
  request.set_page_size(-1);

  EXPECT_THAT(List(request), FailsWithReason("PAGE_SIZE_INVALID"));
}

TEST_F(EventLogServiceTest, SlowReaderHoldsNobodyUpAndMissesNothing) {
  const std::string large = PayloadJson(
      "run.state_changed", absl::StrCat(R"({"detail":")", std::string(20'000, 'x'), "\"}"));
  Watch slow(*stub_, Request());
  Watch quick(*stub_, Request());
  ASSERT_TRUE(slow.Read());
  ASSERT_TRUE(quick.Read());

  // 20 MB: far more than the transport buffers for a reader that does not read.
  int64_t seen = 0;
  for (int i = 0; i < 20; ++i) {
    Append(50, {.kind = "run.state_changed", .payload_json = large});
    while (seen < (i + 1) * 50) {
      ASSERT_TRUE(quick.Read());
      for (const v1::Event& event : quick.response().events()) ASSERT_EQ(event.sequence(), ++seen);
    }
  }

  seen = 0;
  while (seen < 1'000) {
    ASSERT_TRUE(slow.Read());
    for (const v1::Event& event : slow.response().events()) ASSERT_EQ(event.sequence(), ++seen);
  }
}

TEST_F(EventLogServiceTest, SlowReaderThatCompactionPassesIsToldByName) {
  const std::string large = PayloadJson(
      "run.state_changed", absl::StrCat(R"({"detail":")", std::string(20'000, 'x'), "\"}"));
  Watch slow(*stub_, Request());
  ASSERT_TRUE(slow.Read());
  Append(1'000, {.kind = "run.state_changed", .payload_json = large});
  ASSERT_TRUE(slow.Read());
  const std::string token = slow.response().resume_token();
  int64_t seen = slow.response().events().rbegin()->sequence();

  EXPECT_THAT(log_->Compact(1'000), IsOkAndHolds(999));

  while (slow.Read()) {
    for (const v1::Event& event : slow.response().events()) ASSERT_EQ(event.sequence(), ++seen);
  }
  EXPECT_LT(seen, 999) << "it was far behind";
  EXPECT_THAT(slow.Finish(), FailsWithReason("RESUME_TOKEN_EXPIRED"));
  EXPECT_THAT(EndOfWatch(Request(token)), FailsWithReason("RESUME_TOKEN_EXPIRED"));
  Watch anew(*stub_, Request());
  ASSERT_TRUE(anew.Read());
  EXPECT_EQ(anew.response().events(0).sequence(), 1'000);
}

TEST_F(EventLogServiceTest, CompactionPassesByReadersThatKeepUp) {
  Watch watch(*stub_, Request());
  ASSERT_TRUE(watch.Read());
  for (int64_t seen = 0; seen < 300;) {
    Append(10);
    while (seen % 10 != 0 || seen == 0 || seen < log_->Latest().value()) {
      ASSERT_TRUE(watch.Read());
      for (const v1::Event& event : watch.response().events()) ASSERT_EQ(event.sequence(), ++seen);
    }
    ASSERT_OK(log_->Compact(seen + 1));
  }
}

TEST_F(EventLogServiceTest, NoTokenIsPastAnEventThatWasNotDelivered) {
  Watch watch(*stub_, Request("", "b."));
  std::thread writer([this] {
    for (int i = 0; i < 150; ++i) {
      Append(i % 7, {.kind = "a.a"});
      Append(i % 3 == 0 ? 1 : 0, {.kind = "b.b"});
      Append(i % 50 == 0 ? static_cast<int>(kScanMax) : 0, {.kind = "a.a"});
    }
    Append(1, {.kind = "b.last"});
  });
  std::set<int64_t> delivered;
  std::map<int64_t, size_t> delivered_at;  // By the cursor of a token.
  bool last = false;
  while (!last && watch.Read()) {
    for (const v1::Event& event : watch.response().events()) {
      EXPECT_TRUE(delivered.insert(event.sequence()).second) << "repeated " << event.sequence();
      last = last || event.kind() == "b.last";
    }
    ASSERT_OK_AND_ASSIGN(const int64_t cursor, log_->DecodeToken(watch.response().resume_token()));
    delivered_at[cursor] = delivered.size();
  }
  writer.join();
  ASSERT_TRUE(last);
  for (const auto& [cursor, count] : delivered_at) {
    int64_t matching = 0;
    for (int64_t at = 0; at < cursor;) {
      ASSERT_OK_AND_ASSIGN(const Page page, log_->ReadAfter(at, {.kinds = {"b."}}, 500));
      for (const Event& event : page.events) matching += event.sequence <= cursor ? 1 : 0;
      at = page.next_cursor;
    }
    EXPECT_EQ(matching, static_cast<int64_t>(count)) << "at " << cursor;
  }
}

TEST_F(EventLogServiceTest, ResumingWatcherSeesEachEventOnceWhileOthersAppend) {
  constexpr int kAppends = 2'000;
  std::thread appender([&] {
    for (int i = 0; i < kAppends; ++i) Append(1);
  });
  std::mt19937 random(1);  // NOLINT: the same cuts in each run.
  std::string token;
  int64_t seen = 0;
  while (seen < kAppends) {
    Watch watch(*stub_, Request(token));
    for (uint32_t reads = 1 + random() % 20; reads > 0 && seen < kAppends; --reads) {
      ASSERT_TRUE(watch.Read());
      for (const v1::Event& event : watch.response().events()) ASSERT_EQ(event.sequence(), ++seen);
      token = watch.response().resume_token();
    }
  }
  appender.join();
}

TEST_F(EventLogServiceTest, ManyWatchersMayCancelAtAnyTimeUntilTheServerStops) {
  constexpr int kWatchers = 50;
  constexpr int kAppends = 400;
  std::atomic<bool> stopping = false;
  std::atomic<int> gaps = 0;
  std::atomic<int> live = 0;
  std::vector<std::thread> watchers;
  for (int w = 0; w < kWatchers; ++w) {
    watchers.emplace_back([&, w] {
      std::mt19937 random(static_cast<uint32_t>(w));  // NOLINT
      std::string token;
      int64_t seen = 0;
      bool counted = false;
      while (!stopping) {
        Watch watch(*stub_, Request(token));
        for (uint32_t reads = 1 + random() % 10; reads > 0 && watch.Read(); --reads) {
          for (const v1::Event& event : watch.response().events()) {
            if (event.sequence() != ++seen) ++gaps;
          }
          token = watch.response().resume_token();
          if (!std::exchange(counted, true)) ++live;
        }
      }
    });
  }
  while (live < kWatchers) std::this_thread::yield();
  for (int i = 0; i < kAppends; ++i) Append(1);
  stopping = true;
  service_.EndStreams();
  for (std::thread& watcher : watchers) watcher.join();
  server_->Shutdown();
  writer_.Stop();
  executor_.Stop();

  EXPECT_EQ(gaps, 0);
  EXPECT_EQ(service_.streams(), 0);
  EXPECT_EQ(log_->subscribers(), 0u);
}

TEST_F(EventLogServiceTest, ServerStopsWithWatchersThatStay) {
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 50; ++i) {
    watches.push_back(std::make_unique<Watch>(*stub_, Request()));
    ASSERT_TRUE(watches.back()->Read());
  }

  server_->Shutdown();
  executor_.Stop();

  for (const std::unique_ptr<Watch>& watch : watches) EXPECT_FALSE(watch->Finish().ok());
  EXPECT_EQ(service_.streams(), 0);
}

TEST_F(EventLogServiceTest, EndedStreamsNameTheReason) {
  Watch watch(*stub_, Request());
  ASSERT_TRUE(watch.Read());

  service_.EndStreams();

  EXPECT_THAT(watch.Finish(), FailsWithReason("SHUTTING_DOWN"));
  EXPECT_THAT(EndOfWatch(Request()), FailsWithReason("SHUTTING_DOWN"));
}

}  // namespace
}  // namespace slipway::events
