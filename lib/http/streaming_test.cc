#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lib/http/server_fixture.h"
#include "lib/http/sse_parser.h"

namespace slipway::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using Accepted = ResponseWriter::Accepted;

// Keeps every writer, so that a test may stream from its own thread.
class StreamingTest : public ServerTest {
 protected:
  void StartStreams(ServerLimits limits = {}) {
    Router router;
    router.Route("GET", "/events", [this](const Request&, Writer writer) {
      writer->Start(200, {{"Content-Type", "text/event-stream"}});
      base::MutexLock lock(mutex_);
      writers_.push_back(std::move(writer));
      changed_.NotifyAll();
    });
    Start(std::move(router), limits);
  }
  std::vector<Writer> AwaitWriters(size_t count) {
    base::MutexLock lock(mutex_);
    while (writers_.size() < count && changed_.WaitFor(mutex_, absl::Seconds(30))) {
    }
    return writers_;
  }
  void TearDown() override {
    writers_.clear();
    server_.reset();
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<Writer> writers_;
};

constexpr char kGet[] = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(StreamingTest, SendsEachChunkAtOnceAndKeepsTheConnection) {
  StartStreams();
  RawPeer peer(address());

  peer.Send(kGet);
  const Writer writer = AwaitWriters(1).at(0);
  EXPECT_THAT(peer.ReadUntil("\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked\r\n"));
  writer->Write("one");
  EXPECT_EQ(peer.ReadUntil("one\r\n"), "3\r\none\r\n");
  writer->Write(std::string(26, 'x'));
  EXPECT_EQ(peer.ReadUntil("x\r\n"), "1a\r\n" + std::string(26, 'x') + "\r\n");
  writer->Finish();
  EXPECT_EQ(peer.ReadUntil("0\r\n\r\n"), "0\r\n\r\n");

  peer.Send(kGet);
  EXPECT_EQ(AwaitWriters(2).size(), 2u);
}

TEST_F(StreamingTest, AChunkDoesNotWaitForTheThreadOfItsConnection) {
  Event release;
  std::atomic<int> blocked = 0;
  Event all_blocked;
  Router router;
  router.Route("GET", "/events", [this](const Request&, Writer writer) {
    writer->Start(200, {{"Content-Type", "text/event-stream"}});
    base::MutexLock lock(mutex_);
    writers_.push_back(std::move(writer));
    changed_.NotifyAll();
  });
  router.Route("GET", "/block", [&](const Request&, const Writer&) {
    if (++blocked == 2) all_blocked.Set();
    release.WaitFor(absl::Seconds(60));  // Longer than the peer waits for the chunk.
  });
  Start(std::move(router));
  RawPeer peer(address());
  peer.Send(kGet);
  const Writer writer = AwaitWriters(1).at(0);
  peer.ReadUntil("\r\n\r\n");
  // One for each thread of the server, which take connections in turn.
  RawPeer blockers[2] = {RawPeer(address()), RawPeer(address())};
  for (RawPeer& blocker : blockers) blocker.Send("GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(all_blocked.Wait());

  writer->Write("one");

  EXPECT_EQ(peer.ReadUntil("one\r\n"), "3\r\none\r\n");
  release.Set();
  writer->Finish();
  EXPECT_EQ(peer.ReadUntil("0\r\n\r\n"), "0\r\n\r\n");
  server_->Stop();
}

TEST_F(StreamingTest, HoldsNoMoreThanTheBufferForASlowReader) {
  constexpr size_t kChunk = 10'000;
  StartStreams({.response_buffer_bytes = 100'000});
  RawPeer peer(address(), /*receive_buffer=*/4'096);
  peer.Send(kGet);
  const Writer writer = AwaitWriters(1).at(0);

  constexpr size_t kChunksMax = 5'000;
  constexpr size_t kUnsentMax = 100'000 / kChunk;
  base::Mutex sent_mutex;
  base::CondVar sent_changed;
  size_t sent = 0;
  size_t taken = 0;
  const auto write = [&] {
    const Accepted accepted = writer->Write(std::string(kChunk, 'x'), [&](bool ok) {
      base::MutexLock lock(sent_mutex);
      sent += ok;
      sent_changed.NotifyAll();
    });
    taken += accepted == Accepted::kTaken;
    return accepted;
  };
  // The system's own buffers take some megabytes; then the writer must refuse. The system may
  // find room once more at any later time, so nothing below relies on the writer staying full.
  while (taken < kChunksMax) {
    if (write() == Accepted::kTaken) continue;
    const auto writable = std::make_shared<Event>();
    writer->OnWritable([writable] { writable->Set(); });
    if (!writable->WaitFor(absl::Milliseconds(300))) break;
  }
  ASSERT_LT(taken, kChunksMax);
  {
    base::MutexLock lock(sent_mutex);
    while (taken - sent > kUnsentMax) {
      ASSERT_TRUE(sent_changed.WaitFor(sent_mutex, absl::Seconds(30)));
    }
  }

  Event writable;
  writer->OnWritable([&] { writable.Set(); });
  std::thread reader([&] { peer.ReadAll(); });
  EXPECT_TRUE(writable.Wait());
  EXPECT_EQ(write(), Accepted::kTaken);
  server_->Stop();
  reader.join();
}

TEST_F(StreamingTest, GivesUpOnAReaderThatTakesNothing) {
  StartStreams({.response_buffer_bytes = 16u << 20, .stall_timeout = absl::Milliseconds(100)});
  RawPeer peer(address(), /*receive_buffer=*/4'096);
  peer.Send(kGet);
  const Writer writer = AwaitWriters(1).at(0);
  Event gone;
  Event failed;
  writer->OnDisconnect([&] { gone.Set(); });

  writer->Write(std::string(15u << 20, 'x'), [&](bool ok) {
    if (!ok) failed.Set();
  });

  EXPECT_TRUE(gone.Wait());
  EXPECT_TRUE(failed.Wait());
  EXPECT_EQ(writer->Write("x"), Accepted::kClosed);
}

TEST_F(StreamingTest, NoticesThatThePeerOfAnIdleStreamLeft) {
  StartStreams();
  RawPeer peer(address());
  peer.Send(kGet);
  const Writer writer = AwaitWriters(1).at(0);
  Event gone;
  writer->OnDisconnect([&] { gone.Set(); });

  peer.Close();

  EXPECT_TRUE(gone.Wait());
  EXPECT_EQ(writer->Write("x"), Accepted::kClosed);
}

TEST_F(StreamingTest, ReadsAheadOfAnOpenStreamWithoutLosingTheNextRequest) {
  StartStreams();
  RawPeer peer(address());
  peer.Send(std::string(kGet) + kGet);
  const Writer first = AwaitWriters(1).at(0);
  peer.ReadUntil("\r\n\r\n");
  first->Write("first");
  peer.ReadUntil("first\r\n");

  first->Finish();

  EXPECT_EQ(AwaitWriters(2).size(), 2u);
}

TEST_F(StreamingTest, BreaksTheConnectionOfAStreamThatIsDropped) {
  StartStreams();
  RawPeer peer(address());
  peer.Send(kGet);
  AwaitWriters(1).at(0)->Write("half");

  writers_.clear();

  EXPECT_THAT(peer.ReadAll(), EndsWith("half\r\n"));
}

TEST_F(StreamingTest, EndsTheBodyOfAnOldClientWithTheConnection) {
  StartStreams();
  RawPeer peer(address());
  peer.Send("GET /events HTTP/1.0\r\n\r\n");
  const Writer writer = AwaitWriters(1).at(0);

  writer->Write("plain");
  writer->Finish();

  const std::string reply = peer.ReadAll();
  EXPECT_THAT(reply, Not(HasSubstr("chunked")));
  EXPECT_THAT(reply, EndsWith("\r\n\r\nplain"));
}

TEST_F(StreamingTest, CarriesTwoThousandIdleStreams) {
  constexpr size_t kStreams = 2'000;
  rlimit files = {};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 8'192);
  setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < 2 * kStreams + 200) GTEST_SKIP() << "the limit on open files is too low";
  StartStreams();

  std::vector<RawPeer> peers;
  for (size_t i = 0; i < kStreams; ++i) {
    peers.emplace_back(address());
    ASSERT_TRUE(peers.back().connected());
    ASSERT_TRUE(peers.back().Send(kGet));
  }
  const std::vector<Writer> writers = AwaitWriters(kStreams);
  ASSERT_EQ(writers.size(), kStreams);
  for (const Writer& writer : writers) {
    ASSERT_EQ(writer->Write(SseFrame("tick", "1")), Accepted::kTaken);
  }

  for (RawPeer& peer : peers) {
    ASSERT_THAT(peer.ReadUntil("data: 1\n\n"), EndsWith("event: tick\ndata: 1\n\n"));
  }
}

TEST_F(StreamingTest, FirstChunkGoesWithTheHeadAndLastWithTheEnd) {
  Router router;
  router.Route("GET", "/events", [](const Request&, const Writer& writer) {
    writer->Start(200, {{"Content-Type", "text/event-stream"}}, "one");
    writer->Finish("two");
  });
  Start(std::move(router));
  RawPeer peer(address());

  peer.Send(kGet);

  EXPECT_THAT(peer.ReadUntil("0\r\n\r\n"), HasSubstr("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
  peer.Send(kGet);  // The connection is kept.
  EXPECT_THAT(peer.ReadUntil("0\r\n\r\n"), HasSubstr("one"));
}

TEST_F(StreamingTest, FirstAndLastCountForTheAnnouncedLength) {
  Router router;
  router.Route("GET", "/events", [](const Request&, const Writer& writer) {
    writer->Start(200, {{"Content-Length", "5"}}, "abc");
    writer->Finish("de");
  });
  router.Route("GET", "/more", [](const Request&, const Writer& writer) {
    writer->Start(200, {{"Content-Length", "5"}}, "abc");
    writer->Finish("def");
  });
  Start(std::move(router));
  RawPeer peer(address());
  peer.Send(kGet);
  EXPECT_THAT(peer.ReadUntil("abcde"), HasSubstr("\r\n\r\nabcde"));

  peer.Send("GET /more HTTP/1.1\r\nHost: x\r\n\r\n");

  const std::string rest = peer.ReadAll();  // It ends, because the body cannot become whole.
  EXPECT_EQ(rest.substr(rest.size() - 3), "abc");
}

TEST_F(StreamingTest, LastChunkIsTakenWhateverWaits) {
  StartStreams({.response_buffer_bytes = 10'000});
  RawPeer peer(address(), /*receive_buffer=*/4'096);
  peer.Send(kGet);
  const Writer writer = AwaitWriters(1).at(0);
  while (writer->Write(std::string(9'000, 'x')) == Accepted::kTaken) {
  }

  writer->Finish("last");

  EXPECT_THAT(peer.ReadUntil("0\r\n\r\n"), HasSubstr("\r\n4\r\nlast\r\n0\r\n\r\n"));
}

}  // namespace
}  // namespace slipway::http
