#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "lib/testkit/memory_growth.h"
#include "services/models/testing/server_fixture.h"

namespace slipway::models {
namespace {

using ledger::v1::Reservation;
using testkit::FailsWithReason;

int Threads() {
  int threads = 0;
  for (const absl::string_view line :
       absl::StrSplit(base::ReadFile("/proc/self/status").value_or(""), '\n')) {
    if (line.substr(0, 8) == "Threads:") (void)absl::SimpleAtoi(line.substr(8), &threads);
  }
  return threads;
}

// Replies of an endpoint that stay open until the test writes or ends them.
class OpenReplies final {
 public:
  using Writer = FakeEndpoint::Writer;

  FakeEndpoint::Answer Begin() {
    return [this](const Writer& writer) {
      writer->Start(200, {{"Content-Type", "text/event-stream"}});
      writer->Write(FakeEndpoint::Text("begun"));
      base::MutexLock lock(mutex_);
      writers_.push_back(writer);
      changed_.NotifyAll();
    };
  }
  void Await(size_t count) {
    base::MutexLock lock(mutex_);
    while (writers_.size() < count) changed_.Wait(mutex_);
  }
  // Writes `frame` to each, `times` times; what finds no room is left out. Returns how often.
  int WriteToAll(const std::string& frame, int times) {
    int taken = 0;
    base::MutexLock lock(mutex_);
    for (int i = 0; i < times; ++i) {
      for (const Writer& writer : writers_) {
        taken += writer->Write(frame) == http::ResponseWriter::Accepted::kTaken ? 1 : 0;
      }
    }
    return taken;
  }
  void EndAll() {
    base::MutexLock lock(mutex_);
    for (const Writer& writer : writers_) {
      writer->Write(FakeEndpoint::Stop());
      writer->Write(FakeEndpoint::Usage(10, 0, 20));
      writer->Write(FakeEndpoint::Done());
      writer->Finish();
    }
    writers_.clear();
  }
  // Breaks all of them off.
  void DropAll() {
    base::MutexLock lock(mutex_);
    writers_.clear();
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<Writer> writers_ ABSL_GUARDED_BY(mutex_);
};

// Agents that read streams.
class Readers final {
 public:
  using Flow = http::ClientCallbacks::Flow;

  // `reads`: false for one that takes its first bytes and then nothing.
  void Start(http::Client& client, http::ClientRequest request, bool reads = true) {
    auto one = std::make_shared<Reader>();
    http::ClientCallbacks callbacks;
    callbacks.on_data = [this, one, reads](absl::string_view chunk) {
      base::MutexLock lock(mutex_);
      if (one->bytes > 0 && !reads && !all_read_) return Flow::kPause;
      if (one->bytes == 0) ++begun_;
      one->bytes += chunk.size();
      one->tail = std::string(chunk.substr(chunk.size() > 400 ? chunk.size() - 400 : 0));
      changed_.NotifyAll();
      return Flow::kContinue;
    };
    callbacks.on_done = [this, one](const http::ClientResult& result) {
      base::MutexLock lock(mutex_);
      ++ended_;
      const bool whole = result.status.ok() && result.http_status == 200 &&
                         one->tail.find("[DONE]") != std::string::npos;
      ++ends_[whole ? "whole" : result.http_status == 200 ? "broken" : "refused"];
      changed_.NotifyAll();
    };
    handles_.push_back(client.Start(std::move(request), std::move(callbacks)));
  }
  void AwaitBegun(int count) {
    base::MutexLock lock(mutex_);
    while (begun_ < count) changed_.Wait(mutex_);
  }
  std::map<std::string, int> AwaitEnded() {
    base::MutexLock lock(mutex_);
    while (ended_ < static_cast<int>(handles_.size())) changed_.Wait(mutex_);
    return ends_;
  }
  void ReadAll() {
    {
      base::MutexLock lock(mutex_);
      all_read_ = true;
    }
    for (const auto& handle : handles_) handle->Resume();
  }
  void Vanish() { handles_.clear(); }

 private:
  struct Reader {
    size_t bytes = 0;
    std::string tail;
  };

  base::Mutex mutex_;
  base::CondVar changed_;
  int begun_ ABSL_GUARDED_BY(mutex_) = 0;
  int ended_ ABSL_GUARDED_BY(mutex_) = 0;
  bool all_read_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, int> ends_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<http::Client::Handle>> handles_;
};

class StreamsTest : public ServerFixture {
 protected:
  void SetUp() override {
    ServerFixture::SetUp();
    rlimit files = {};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    endpoint_.Then(replies_.Begin());
  }

  void StartStreams(int count, bool reads = true) {
    if (key_.empty()) key_ = IssueKey();  // A second one would end the calls of the first.
    for (int i = 0; i < count; ++i) {
      readers_.Start(client_, ChatRequest(key_, "chat", R"("stream":true)"), reads);
    }
    started_ += count;
    readers_.AwaitBegun(started_);
    replies_.Await(static_cast<size_t>(started_));
  }

  // Every hold has ended, in one of the ways that cost nothing or what they should.
  void ExpectNothingHeld(size_t count) {
    ASSERT_EQ(ledger_.entries().size(), count);
    for (const auto& [key, entry] : ledger_.entries()) {
      EXPECT_NE(ledger_.AwaitEnd(key).reservation.state(), Reservation::STATE_HELD);
    }
  }

  OpenReplies replies_;
  Readers readers_;
  std::string key_;
  int started_ = 0;
};

constexpr int kMany = 1'000;

// Client, service and endpoint are in this process, which holds all three ends of every stream.
TEST_F(StreamsTest, ThousandStreamsTakeNoThreadsAndLittleMemory) {
  StartServer();
  StartStreams(10);
  const int threads = Threads();
  const testkit::MemoryGrowth growth;

  StartStreams(kMany);

  EXPECT_LE(Threads(), threads + 8);  // Those of gRPC come and go.
  EXPECT_LT(growth.bytes(), kMany * 200'000);
  replies_.EndAll();
  const auto ends = readers_.AwaitEnded();
  EXPECT_EQ(ends, (std::map<std::string, int>{{"whole", kMany + 10}}));
  ExpectNothingHeld(kMany + 10);
  for (const auto& [key, entry] : ledger_.entries()) {
    EXPECT_EQ(entry.reservation.settled().usd_nanos(), 90'000);
  }
}

TEST_F(StreamsTest, SlowAgentsMakeTheEndpointWait) {
  constexpr int kSlow = 4;
  constexpr int kFrames = 8'000;
  const std::string frame = FakeEndpoint::Text(std::string(8'000, 'x'));
  StartServer();
  StartStreams(kSlow, /*reads=*/false);
  const testkit::MemoryGrowth growth;

  // 64 MB are offered on each, more than the 36 MB that a pair of Linux's sockets may take.
  const int taken = replies_.WriteToAll(frame, kFrames);

  EXPECT_LT(taken, kSlow * kFrames);
  EXPECT_LT(growth.bytes(), int64_t{kSlow} * 3'000'000);
  EXPECT_EQ(Calls()[0].outcome(), "RUNNING");
  readers_.ReadAll();
  replies_.EndAll();
  EXPECT_EQ(readers_.AwaitEnded()["refused"], 0);
  ExpectNothingHeld(kSlow);
}

TEST_F(StreamsTest, AgentsThatVanishAreChargedAndTheEndpointIsLeft) {
  StartServer();
  StartStreams(100);

  readers_.Vanish();

  ExpectNothingHeld(100);
  for (const auto& [key, entry] : ledger_.entries()) {
    EXPECT_TRUE(entry.settle.outcome_unknown());
  }
  for (const v1::Call& call : Calls()) EXPECT_EQ(call.reason(), "CALLER_GONE");
}

TEST_F(StreamsTest, EndpointThatBreaksOffIsChargedAndTold) {
  StartServer();
  StartStreams(100);

  replies_.DropAll();

  EXPECT_EQ(readers_.AwaitEnded(), (std::map<std::string, int>{{"broken", 100}}));
  ExpectNothingHeld(100);
}

// The route's time for a call ends a reply that stands still.
TEST_F(StreamsTest, EndpointThatStallsIsLeftWhenItsTimeIsOver) {
  config_ = absl::StrReplaceAll(ConfigText(),
                                {{"model: gpt-test, output_tokens_max: 1000}",
                                  "model: gpt-test, output_tokens_max: 1000, call_timeout: 1s}"}});
  StartServer();

  StartStreams(50);

  EXPECT_EQ(readers_.AwaitEnded(), (std::map<std::string, int>{{"broken", 50}}));
  ExpectNothingHeld(50);
  for (const v1::Call& call : Calls()) EXPECT_EQ(call.reason(), "CALL_TIMEOUT");
}

TEST_F(StreamsTest, FurtherCallsAreRefusedByNameAndServedOnceThereIsAPlace) {
  config_ = ConfigText() + "calls_max: 20\n";
  StartServer();
  StartStreams(20);

  const http::Client::Response refused = Chat(key_, "chat", R"("stream":true)");

  EXPECT_EQ(refused.result.http_status, 429);
  EXPECT_THAT(refused.body, ::testing::HasSubstr("CALLS_EXHAUSTED"));
  EXPECT_EQ(refused.headers.Get("retry-after"), "1");
  EXPECT_THAT(Generate(Request("call-1", "writer")), FailsWithReason("CALLS_EXHAUSTED"));
  EXPECT_EQ(ledger_.entries().size(), 20u);
  replies_.EndAll();
  EXPECT_EQ(readers_.AwaitEnded()["whole"], 20);
  ExpectNothingHeld(20);
  // The ledger knows of an end before the call that has ended gives its place back.
  http::Client::Response served = Chat(key_, "writer");
  while (served.result.http_status == 429) served = Chat(key_, "writer");
  EXPECT_EQ(served.result.http_status, 200);
}

TEST_F(StreamsTest, StoppingServiceEndsAndSettlesAll) {
  StartServer();
  StartStreams(200);

  server_->Stop();

  EXPECT_EQ(readers_.AwaitEnded()["whole"], 0);
  for (const auto& [key, entry] : ledger_.entries()) {
    EXPECT_EQ(entry.reservation.state(), Reservation::STATE_SETTLED);
    EXPECT_TRUE(entry.settle.outcome_unknown());
  }
  EXPECT_EQ(ledger_.entries().size(), 200u);
}

// An agent's next call never finds its own last one holding the money.
TEST_F(StreamsTest, CallsInTurnNeverWaitForEachOthersMoney) {
  StartServer();
  const std::string key = IssueKey({"writer"});
  const auto input = static_cast<int64_t>(ChatRequest("", "writer").body.size()) + 2 * 16;
  // One call at its worst, and what the calls before it have cost.
  ledger_.SetLimit(input * 1'000 + 16'000 * 4'000 + 30 * 90'000);

  for (int i = 0; i < 30; ++i) {
    const http::Client::Response response = Chat(key, "writer");
    ASSERT_EQ(response.result.http_status, 200) << response.body;
    ASSERT_EQ(response.headers.Get("x-slipway-output-tokens-max"), "16000");
  }
}

}  // namespace
}  // namespace slipway::models
