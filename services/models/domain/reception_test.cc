#include "services/models/domain/reception.h"

#include <gtest/gtest.h>

#include <utility>

#include "lib/testkit/fake_clock.h"

namespace slipway::models {
namespace {

using Kind = ProviderResult::Kind;

// A reader that takes notes and has room when the test says so.
class NotedSink final : public ReplySink {
 public:
  void OnGranted(const std::string&, int64_t) override {}
  void OnText(absl::string_view bytes) override { text.append(bytes.data(), bytes.size()); }
  void OnLastText(absl::string_view bytes) override { last = std::string(bytes); }
  bool HasRoom() override { return room; }
  void OnRoom(absl::AnyInvocable<void()> callback) override { on_room = std::move(callback); }
  void OnComplete() override { ++completed; }

  std::string text;
  std::string last;
  bool room = true;
  absl::AnyInvocable<void()> on_room;
  int completed = 0;
};

struct Exchange final : ProviderExchange {
  Exchange(int& resumed, bool& ended) : resumed(resumed), ended(ended) {}
  ~Exchange() override { ended = true; }
  void Resume() override { ++resumed; }
  int& resumed;
  bool& ended;
};

class ReceptionTest : public ::testing::Test {
 protected:
  Reception::Options options_{.bytes_max = 10, .keep_text = true};
  testkit::FakeClock clock_;
  NotedSink sink_;
  int ends_ = 0;
  int resumed_ = 0;
  bool exchange_ended_ = false;
};

TEST_F(ReceptionTest, PassesTextOnAndEndsOnce) {
  Reception reception(std::move(options_), sink_, clock_);
  reception.OnEnded([&](bool) { ++ends_; });
  EXPECT_FALSE(reception.spoke());
  reception.OnText("ab");
  reception.OnText("c");
  EXPECT_EQ(ends_, 0);

  reception.OnEnd({.kind = Kind::kComplete, .finish_reason = "stop"});

  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(sink_.text, "abc");
  EXPECT_EQ(sink_.completed, 0);
  EXPECT_TRUE(reception.spoke());
  EXPECT_EQ(reception.TakeText(), "abc");
  EXPECT_EQ(reception.TakeResult().finish_reason, "stop");
}

TEST_F(ReceptionTest, EndThatCameBeforeAnybodyWaitedIsTold) {
  Reception reception(std::move(options_), sink_, clock_);
  reception.OnEnd({.kind = Kind::kComplete});

  reception.OnEnded([&](bool) { ++ends_; });

  EXPECT_EQ(ends_, 1);
}

TEST_F(ReceptionTest, InterruptionEndsItButTheProvidersEndCountsIfItStillComes) {
  Reception reception(std::move(options_), sink_, clock_);
  reception.OnEnded([&](bool) { ++ends_; });
  reception.OnText("a");

  reception.Interrupt("CALL_TIMEOUT");
  reception.Interrupt("CALL_CANCELLED");
  reception.OnText("late");

  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(sink_.text, "a");
  EXPECT_EQ(reception.TakeResult().reason, "CALL_TIMEOUT");
  reception.OnEnd({.kind = Kind::kComplete});
  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(reception.TakeResult().kind, Kind::kComplete);
}

TEST_F(ReceptionTest, LastTextIsToldAsSuchAndCountsLikeAnyOther) {
  Reception reception(std::move(options_), sink_, clock_);
  reception.OnText("a");
  reception.OnLastText("b");
  reception.OnEnd({.kind = Kind::kComplete});

  EXPECT_EQ(sink_.text, "a");
  EXPECT_EQ(sink_.last, "b");
  EXPECT_EQ(reception.TakeText(), "ab");
  Reception full({.bytes_max = 3}, sink_, clock_);
  full.OnLastText("long");
  EXPECT_EQ(sink_.last, "b");
  EXPECT_EQ(full.TakeResult().reason, "REPLY_TOO_LARGE");
}

TEST_F(ReceptionTest, ReplyHasALimit) {
  Reception reception(std::move(options_), sink_, clock_);
  reception.OnText("0123456789");

  reception.OnText("x");

  EXPECT_EQ(sink_.text, "0123456789");
  EXPECT_EQ(reception.TakeResult().reason, "REPLY_TOO_LARGE");
}

TEST_F(ReceptionTest, CompleteReplyIsToldOnceAndOnlyIfNothingOvertookIt) {
  int noted = 0;
  options_.tell_complete = true;
  options_.on_complete = [&] {
    EXPECT_EQ(sink_.completed, 0);
    ++noted;
  };
  {
    Reception reception(std::move(options_), sink_, clock_);
    reception.OnEnd({.kind = Kind::kComplete});
    EXPECT_EQ(sink_.completed, 1);
    EXPECT_EQ(noted, 1);
  }
  Reception failed({.bytes_max = 10, .tell_complete = true}, sink_, clock_);
  failed.OnEnd({.kind = Kind::kUnknown});
  Reception interrupted({.bytes_max = 10, .tell_complete = true}, sink_, clock_);
  interrupted.Interrupt("CALL_CANCELLED");
  interrupted.OnEnd({.kind = Kind::kComplete});

  EXPECT_EQ(sink_.completed, 1);
}

TEST_F(ReceptionTest, ProviderWaitsForRoomAndGoesOnWithIt) {
  Reception reception(std::move(options_), sink_, clock_);
  sink_.room = false;

  EXPECT_FALSE(reception.HasRoom());
  reception.Attach(std::make_unique<Exchange>(resumed_, exchange_ended_));
  EXPECT_EQ(resumed_, 0);
  sink_.room = true;
  sink_.on_room();

  EXPECT_EQ(resumed_, 1);
  EXPECT_TRUE(reception.HasRoom());
}

TEST_F(ReceptionTest, RoomThatIsThereBeforeTheExchangeIsNotForgotten) {
  Reception reception(std::move(options_), sink_, clock_);
  sink_.room = false;
  EXPECT_FALSE(reception.HasRoom());
  sink_.on_room();

  reception.Attach(std::make_unique<Exchange>(resumed_, exchange_ended_));

  EXPECT_EQ(resumed_, 1);
}

TEST_F(ReceptionTest, RoomAfterTheEndTouchesNothing) {
  sink_.room = false;
  {
    Reception reception(std::move(options_), sink_, clock_);
    reception.Attach(std::make_unique<Exchange>(resumed_, exchange_ended_));
    EXPECT_FALSE(reception.HasRoom());
  }
  EXPECT_TRUE(exchange_ended_);

  sink_.on_room();

  EXPECT_EQ(resumed_, 0);
}

}  // namespace
}  // namespace slipway::models
