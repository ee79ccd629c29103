#include "lib/events/event_log.h"

#include <atomic>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/events/limits.h"
#include "lib/sqlite/group_writer.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/sequential_ids.h"

namespace slipway::events {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::IsOkAndHolds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr sqlite::Migration kMigrations[] = {{1, kEventLogSchema}};
constexpr absl::Time kTime = absl::FromUnixMicros(1'800'000'000'000'001);

std::vector<int64_t> SequencesOf(const std::vector<Event>& events) {
  std::vector<int64_t> sequences;
  for (const Event& event : events) sequences.push_back(event.sequence);
  return sequences;
}

class EventLogTest : public ::testing::Test {
 protected:
  absl::StatusOr<int64_t> Append(const EventDraft& draft) {
    return database_->Write(
        [&](sqlite::Transaction& transaction) { return log_->Append(transaction, kTime, draft); });
  }
  void AppendMany(int count, const std::string& kind) {
    ASSERT_OK(database_->Write([&](sqlite::Transaction& transaction) -> absl::Status {
      for (int i = 0; i < count; ++i) {
        RETURN_IF_ERROR(log_->Append(transaction, kTime, {.kind = kind}).status());
      }
      return absl::OkStatus();
    }));
  }

  testkit::SequentialIds ids_;
  std::unique_ptr<sqlite::Database> database_ =
      sqlite::Database::Open(":memory:", {.migrations = kMigrations}).value();
  std::unique_ptr<EventLog> log_ = EventLog::Open(*database_, ids_, "dispatcher").value();
};

TEST_F(EventLogTest, EventsComeBackInOrderAsTheyWereAppended) {
  const EventDraft first = {.kind = "task.state_changed",
                            .project = "projects/p",
                            .plan = "projects/p/plans/n",
                            .task = "projects/p/plans/n/tasks/t",
                            .attempt = "projects/p/plans/n/tasks/t/attempts/k",
                            .payload_json = R"({"task_state_changed":{"to":"READY"}})"};
  EXPECT_THAT(Append(first), IsOkAndHolds(1));
  EXPECT_THAT(Append({.kind = "b.b"}), IsOkAndHolds(2));

  ASSERT_OK_AND_ASSIGN(const Page page, log_->ReadAfter(0, {}, 10));

  ASSERT_EQ(page.events.size(), 2u);
  EXPECT_EQ(page.events[0].draft, first);
  EXPECT_EQ(page.events[0].append_time, kTime);
  EXPECT_EQ(page.events[1].draft.kind, "b.b");
  EXPECT_EQ(page.next_cursor, 2);
  EXPECT_TRUE(page.at_end);
}

TEST_F(EventLogTest, EventsAppendedTogetherComeBackEachWithItsOwnNames) {
  std::vector<EventDraft> drafts;
  for (int i = 0; i < 39; ++i) {  // Two statements of 16 rows, one of 4, and three of one.
    const std::string number = absl::StrCat(i);
    drafts.push_back({.kind = "k." + number,
                      .project = "project" + number,
                      .plan = "plan" + number,
                      .task = "task" + number,
                      .attempt = "attempt" + number,
                      .payload_json = "payload" + number});
  }
  std::vector<const EventDraft*> pointers;
  for (const EventDraft& draft : drafts) pointers.push_back(&draft);
  ASSERT_OK(Append({.kind = "before"}));

  ASSERT_OK(database_->Write([&](sqlite::Transaction& transaction) {
    return log_->AppendAll(transaction, kTime, pointers);
  }));

  ASSERT_OK_AND_ASSIGN(const Page page, log_->ReadAfter(1, {}, 100));
  ASSERT_EQ(page.events.size(), drafts.size());
  for (size_t i = 0; i < drafts.size(); ++i) {
    EXPECT_EQ(page.events[i].draft, drafts[i]);
    EXPECT_EQ(page.events[i].sequence, static_cast<int64_t>(i) + 2);
    EXPECT_EQ(page.events[i].append_time, kTime);
  }
}

TEST_F(EventLogTest, OfEventsAppendedTogetherNoneIsWrittenWhenOneIsRefused) {
  const EventDraft good = {.kind = "a.a"};
  const EventDraft bad = {.plan = "plan"};

  const absl::Status appended = database_->Write([&](sqlite::Transaction& transaction) {
    EXPECT_THAT(log_->AppendAll(transaction, kTime, {&good, &bad}),
                FailsWithReason("EVENT_INVALID"));
    return absl::OkStatus();
  });

  ASSERT_OK(appended);
  EXPECT_THAT(log_->Latest(), IsOkAndHolds(0));
}

TEST_F(EventLogTest, RolledBackEventLeavesNoGap) {
  ASSERT_OK(Append({.kind = "a.a"}));
  ASSERT_FALSE(database_
                   ->Write([&](sqlite::Transaction& transaction) -> absl::Status {
                     RETURN_IF_ERROR(log_->Append(transaction, kTime, {.kind = "b.b"}).status());
                     return absl::CancelledError("no");
                   })
                   .ok());
  ASSERT_OK(database_->Write([&](sqlite::Transaction& transaction) {
    transaction
        .Nested([&]() -> absl::Status {
          RETURN_IF_ERROR(log_->Append(transaction, kTime, {.kind = "c.c"}).status());
          return absl::CancelledError("no");
        })
        .IgnoreError();
    return absl::OkStatus();
  }));

  EXPECT_THAT(Append({.kind = "d.d"}), IsOkAndHolds(2));
}

TEST_F(EventLogTest, LimitEndsAPageWhereTheNextGoesOn) {
  AppendMany(5, "a.a");

  ASSERT_OK_AND_ASSIGN(const Page first, log_->ReadAfter(0, {}, 3));
  ASSERT_OK_AND_ASSIGN(const Page second, log_->ReadAfter(first.next_cursor, {}, 3));

  EXPECT_THAT(SequencesOf(first.events), ElementsAre(1, 2, 3));
  EXPECT_FALSE(first.at_end);
  EXPECT_THAT(SequencesOf(second.events), ElementsAre(4, 5));
  EXPECT_TRUE(second.at_end);
}

TEST_F(EventLogTest, PageIsBoundedInBytes) {
  const std::string large(60'000, 'x');
  for (int i = 0; i < 40; ++i) ASSERT_OK(Append({.kind = "a.a", .payload_json = large}));

  ASSERT_OK_AND_ASSIGN(const Page page, log_->ReadAfter(0, {}, kBatchEventsMax));

  EXPECT_LE(page.events.size() * large.size(), kBatchBytesMax + kEventBytesMax);
  EXPECT_FALSE(page.at_end);
}

TEST_F(EventLogTest, FilterConditionsMustAllHold) {
  const std::string plan = "projects/p/plans/n";
  ASSERT_OK(Append({.kind = "task.state_changed", .project = "projects/p", .plan = plan}));
  ASSERT_OK(Append({.kind = "task.retried", .project = "projects/q"}));
  ASSERT_OK(Append({.kind = "plan.revised", .project = "projects/p", .plan = plan}));
  ASSERT_OK(Append({.kind = "task.retried", .project = "projects/p", .task = plan + "/tasks/t"}));
  const auto kept = [&](const EventFilter& filter) {
    return SequencesOf(log_->ReadAfter(0, filter, 10).value().events);
  };

  EXPECT_THAT(kept({.project = "projects/p"}), ElementsAre(1, 3, 4));
  EXPECT_THAT(kept({.plan = plan}), ElementsAre(1, 3));
  EXPECT_THAT(kept({.task = plan + "/tasks/t"}), ElementsAre(4));
  EXPECT_THAT(kept({.kinds = {"task."}}), ElementsAre(1, 2, 4));
  EXPECT_THAT(kept({.kinds = {"task"}}), IsEmpty());
  EXPECT_THAT(kept({.kinds = {"plan.revised", "task.retried"}}), ElementsAre(2, 3, 4));
  EXPECT_THAT(kept({.project = "projects/p", .kinds = {"task.retried"}}), ElementsAre(4));
  EXPECT_THAT(kept({.nothing = true}), IsEmpty());
}

TEST_F(EventLogTest, OneReadPassesABoundedNumberOfEvents) {
  AppendMany(static_cast<int>(kScanMax) + 500, "noise.made");
  ASSERT_OK(Append({.kind = "task.retried"}));
  const EventFilter filter = {.kinds = {"task."}};

  ASSERT_OK_AND_ASSIGN(const Page first, log_->ReadAfter(0, filter, 10));
  ASSERT_OK_AND_ASSIGN(const Page second, log_->ReadAfter(first.next_cursor, filter, 10));

  EXPECT_THAT(first.events, IsEmpty());
  EXPECT_EQ(first.next_cursor, kScanMax);
  EXPECT_THAT(SequencesOf(second.events), ElementsAre(kScanMax + 501));
}

TEST_F(EventLogTest, DraftsAreChecked) {
  EXPECT_THAT(Append({}), FailsWithReason("EVENT_INVALID"));
  EXPECT_THAT(Append({.kind = "a.a", .payload_json = std::string(kEventBytesMax, 'x')}),
              FailsWithReason("EVENT_TOO_LARGE"));
  EXPECT_THAT(log_->Latest(), IsOkAndHolds(0));
}

TEST_F(EventLogTest, CompactedCursorIsExpired) {
  AppendMany(10, "a.a");

  EXPECT_THAT(log_->Compact(6), IsOkAndHolds(5));

  EXPECT_THAT(log_->ReadAfter(4, {}, 10), FailsWithReason("RESUME_TOKEN_EXPIRED"));
  EXPECT_THAT(SequencesOf(log_->ReadAfter(5, {}, 10).value().events), ElementsAre(6, 7, 8, 9, 10));
  EXPECT_THAT(log_->Oldest(), IsOkAndHolds(5));
}

TEST_F(EventLogTest, CompactingEverythingKeepsTheSequence) {
  AppendMany(3, "a.a");

  EXPECT_THAT(log_->Compact(1'000), IsOkAndHolds(3));
  EXPECT_THAT(log_->Compact(1'000), IsOkAndHolds(0));

  EXPECT_THAT(log_->Latest(), IsOkAndHolds(3));
  EXPECT_THAT(Append({.kind = "a.a"}), IsOkAndHolds(4));
}

TEST_F(EventLogTest, CompactionRunsInBoundedSteps) {
  AppendMany(static_cast<int>(kCompactStep) * 2 + 10, "a.a");

  EXPECT_THAT(log_->Compact(kCompactStep * 2 + 6), IsOkAndHolds(kCompactStep * 2 + 5));
}

TEST_F(EventLogTest, EventsBeforeTheFirstYoungOneAreCompacted) {
  const auto append_at = [this](int hours) {
    ASSERT_OK(database_->Write([&](sqlite::Transaction& transaction) {
      return log_->Append(transaction, kTime + absl::Hours(hours), {.kind = "a.a"});
    }));
  };
  EXPECT_THAT(log_->CompactOlder(kTime), IsOkAndHolds(0));
  // The clock was set back after the third.
  for (const int hours : {0, 1, 5, 2, 6}) append_at(hours);

  EXPECT_THAT(log_->CompactOlder(kTime), IsOkAndHolds(0));
  EXPECT_THAT(log_->CompactOlder(kTime + absl::Hours(3)), IsOkAndHolds(2));
  EXPECT_THAT(log_->Oldest(), IsOkAndHolds(2)) << "the fourth is old, the third before it is not";
  EXPECT_THAT(log_->ReadAfter(1, {}, 10), FailsWithReason("RESUME_TOKEN_EXPIRED"));
  EXPECT_THAT(log_->CompactOlder(kTime + absl::Hours(100)), IsOkAndHolds(3));
  EXPECT_THAT(Append({.kind = "a.a"}), IsOkAndHolds(6)) << "sequences are never used again";
}

TEST_F(EventLogTest, CursorInTheFutureIsForeign) {
  AppendMany(3, "a.a");

  EXPECT_OK(log_->ReadAfter(3, {}, 10));
  EXPECT_THAT(log_->ReadAfter(4, {}, 10), FailsWithReason("RESUME_TOKEN_FOREIGN"));
}

TEST_F(EventLogTest, TokenNamesItsCursorAcrossRestarts) {
  const std::string token = log_->EncodeToken(7);
  log_ = EventLog::Open(*database_, ids_, "dispatcher").value();

  EXPECT_THAT(log_->DecodeToken(token), IsOkAndHolds(7));
}

TEST_F(EventLogTest, TokenOfAnotherDatabaseIsForeign) {
  const auto other = sqlite::Database::Open(":memory:", {.migrations = kMigrations}).value();
  const auto other_log = EventLog::Open(*other, ids_, "dispatcher").value();

  EXPECT_THAT(log_->DecodeToken(other_log->EncodeToken(0)),
              FailsWithReason("RESUME_TOKEN_FOREIGN"));
}

TEST_F(EventLogTest, TokenThatNoLogMadeIsInvalid) {
  for (const std::string& text : {std::string(""), std::string("1:log-1"), std::string("2:log-1:3"),
                                  std::string("1:log-1:-3"), std::string("1:log-1:x")}) {
    EXPECT_THAT(log_->DecodeToken(absl::WebSafeBase64Escape(text)),
                FailsWithReason("RESUME_TOKEN_INVALID"))
        << text;
  }
  EXPECT_THAT(log_->DecodeToken("%%%"), FailsWithReason("RESUME_TOKEN_INVALID"));
  EXPECT_THAT(log_->DecodeToken(std::string(10'000, 'A')), FailsWithReason("RESUME_TOKEN_INVALID"));
}

TEST_F(EventLogTest, SubscribersAreWokenUntilTheyLeave) {
  int woken = 0;
  {
    const Subscription subscription = log_->OnAppend([&woken] { ++woken; });
    log_->NotifyAppended();
  }
  log_->NotifyAppended();

  EXPECT_EQ(woken, 1);
  EXPECT_EQ(log_->subscribers(), 0u);
}

TEST_F(EventLogTest, WakeMayEndItsOwnAndOtherSubscriptions) {
  Subscription first;
  Subscription second;
  first = log_->OnAppend([&] {
    first = Subscription();
    second = Subscription();
  });
  second = log_->OnAppend([] {});

  log_->NotifyAppended();

  EXPECT_EQ(log_->subscribers(), 0u);
}

TEST_F(EventLogTest, SubscriptionMayOutliveTheLog) {
  Subscription subscription = log_->OnAppend([] {});
  log_.reset();
  subscription = Subscription();
}

TEST_F(EventLogTest, ReaderThatFollowsConcurrentAppendsMissesNothing) {
  constexpr int kThreads = 4;
  constexpr int kAppends = 250;
  sqlite::GroupWriter writer(*database_, {.on_committed = [this] { log_->NotifyAppended(); }});
  std::atomic<int> wakes = 0;
  const Subscription subscription = log_->OnAppend([&wakes] { ++wakes; });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kAppends; ++i) {
        EXPECT_OK(writer.WriteAndWait([&](sqlite::Transaction& transaction) {
          return log_->Append(transaction, kTime, {.kind = "a.a"});
        }));
      }
    });
  }
  int64_t cursor = 0;
  while (cursor < kThreads * kAppends) {
    ASSERT_OK_AND_ASSIGN(const Page page, log_->ReadAfter(cursor, {}, 7));
    for (const Event& event : page.events) ASSERT_EQ(event.sequence, ++cursor);
    ASSERT_EQ(page.next_cursor, cursor);
  }
  for (std::thread& thread : threads) thread.join();
  writer.Stop();

  EXPECT_GT(wakes, 0);
}

}  // namespace
}  // namespace slipway::events
