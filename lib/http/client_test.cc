#include "lib/http/client.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/http/server_fixture.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::http {
namespace {

using testkit::FailsWithReason;
using Flow = ClientCallbacks::Flow;

// A server that says exactly what a test tells it, one connection at a time.
class ScriptedServer final {
 public:
  ScriptedServer() : fd_(Listen(Address::Parse("127.0.0.1:0").value(), 0).value()) {
    fcntl(fd_.get(), F_SETFL, 0);
  }
  std::string Url() const { return absl::StrCat("http://127.0.0.1:", LocalPort(fd_.get()), "/"); }
  base::UniqueFd Accept() { return base::UniqueFd(accept(fd_.get(), nullptr, nullptr)); }

  // Reads up to the end of a head and writes `reply`.
  static void Answer(const base::UniqueFd& peer, absl::string_view reply) {
    std::string read;
    char byte = 0;
    while (read.find("\r\n\r\n") == std::string::npos && recv(peer.get(), &byte, 1, 0) == 1) {
      read += byte;
    }
    (void)!send(peer.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
  }

 private:
  base::UniqueFd fd_;
};

class ClientTest : public ServerTest {
 protected:
  // Of an exchange whose end sets `done_`.
  ClientCallbacks Notes() {
    return {.on_headers = [this](int, const Headers&) { head_.Set(); },
            .on_data =
                [this](absl::string_view chunk) {
                  body_.append(chunk.data(), chunk.size());
                  return Flow::kContinue;
                },
            .on_done =
                [this](ClientResult result) {
                  result_ = std::move(result);
                  done_.Set();
                }};
  }
  // Answers "x" to everybody.
  static Router OneRoute() {
    Router router;
    router.Route("GET", "/",
                 [](const Request&, const Writer& writer) { writer->Send(200, {}, "x"); });
    return router;
  }
  std::unique_ptr<Client::Handle> StartExchange(ClientRequest request) {
    return client_.Start(std::move(request), Notes());
  }

  Event head_;
  Event done_;
  std::string body_;
  ClientResult result_;
};

TEST_F(ClientTest, SendsMethodHeadersAndBodyUnchanged) {
  Router router;
  router.Route("PATCH", "/x", [](Request request, Writer writer) {
    EXPECT_EQ(request.headers.Get("x-one"), "1");
    EXPECT_TRUE(request.headers.Has("X-Empty"));
    EXPECT_FALSE(request.headers.Has("Expect"));
    EXPECT_FALSE(request.headers.Has("Content-Type"));
    EXPECT_EQ(request.QueryParameter("q"), "a b");
    writer->Send(201, {{"X-Two", "2"}}, std::move(request.body));
  });
  Start(std::move(router));
  const std::string body(3'000'000, 'b');

  const Client::Response response = client_.Fetch({.method = "PATCH",
                                                   .url = Url("/x?q=a%20b"),
                                                   .headers = {{"X-One", "1"}, {"X-Empty", ""}},
                                                   .body = body});

  EXPECT_OK(response.result.status);
  EXPECT_EQ(response.result.outcome, Outcome::kComplete);
  EXPECT_EQ(response.result.http_status, 201);
  EXPECT_EQ(response.headers.Get("x-two"), "2");
  EXPECT_EQ(response.body, body);
}

TEST_F(ClientTest, ReusesItsConnection) {
  Router router;
  router.Route("GET", "/", [](const Request& request, const Writer& writer) {
    writer->Send(200, {}, request.peer.address);
  });
  Start(std::move(router));

  const std::string first = client_.Fetch({.url = Url("/")}).body;

  EXPECT_EQ(client_.Fetch({.url = Url("/")}).body, first);
}

TEST_F(ClientTest, FollowsNoRedirect) {
  Router router;
  router.Route("GET", "/", [](const Request&, const Writer& writer) {
    writer->Send(302, {{"Location", "/elsewhere"}}, "");
  });
  Start(std::move(router));

  EXPECT_EQ(client_.Fetch({.url = Url("/")}).result.http_status, 302);
}

TEST_F(ClientTest, ProvesThatNothingWasSentWhenNobodyListens) {
  const testkit::TemporaryDirectory directory;

  const ClientResult result =
      client_.Fetch({.url = "http://x/", .unix_socket = directory.File("none.sock")}).result;

  EXPECT_EQ(result.outcome, Outcome::kConnectFailed);
  EXPECT_TRUE(result.nothing_sent());
  EXPECT_THAT(result.status, FailsWithReason("CONNECT_FAILED"));
}

TEST_F(ClientTest, ProvesThatNothingWasSentWhenTheHandshakeFails) {
  ScriptedServer server;
  std::thread plain([&] { ScriptedServer::Answer(server.Accept(), "HTTP/1.1 400 no\r\n\r\n"); });
  std::string url = server.Url();
  url.replace(0, 4, "https");

  const ClientResult result =
      client_.Fetch({.method = "POST", .url = url, .first_byte_timeout = absl::Milliseconds(200)})
          .result;
  plain.join();

  EXPECT_EQ(result.outcome, Outcome::kConnectFailed);
}

TEST_F(ClientTest, RefusesWhatItCannotSend) {
  EXPECT_THAT(client_.Fetch({.url = "ftp://x/"}).result.status, FailsWithReason("URL_INVALID"));
  const ClientResult split =
      client_.Fetch({.url = "http://x/", .headers = {{"X", "a\r\nY: b"}}}).result;
  EXPECT_THAT(split.status, FailsWithReason("HEADERS_INVALID"));
  EXPECT_EQ(split.outcome, Outcome::kNotSent);
}

TEST_F(ClientTest, SaysWhenTheRequestWentOutButNothingCameBack) {
  ScriptedServer server;
  std::thread script([&] { ScriptedServer::Answer(server.Accept(), ""); });

  const ClientResult result = client_.Fetch({.method = "POST", .url = server.Url()}).result;
  script.join();

  EXPECT_EQ(result.outcome, Outcome::kNoResponse);
  EXPECT_FALSE(result.nothing_sent());
}

TEST_F(ClientTest, NeverSendsAPostTwiceWhenAReusedConnectionBreaks) {
  ScriptedServer server;
  std::thread script([&] {
    const base::UniqueFd peer = server.Accept();
    ScriptedServer::Answer(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ScriptedServer::Answer(peer, "");
  });
  ASSERT_OK(client_.Fetch({.method = "POST", .url = server.Url()}).result.status);

  const ClientResult result =
      client_.Fetch({.method = "POST", .url = server.Url(), .first_byte_timeout = absl::Seconds(3)})
          .result;
  script.join();

  EXPECT_EQ(result.outcome, Outcome::kNoResponse);
  EXPECT_THAT(result.status, FailsWithReason("CONNECTION_BROKEN"));
}

TEST_F(ClientTest, SaysWhenABodyIsCutShort) {
  ScriptedServer server;
  std::thread script([&] {
    ScriptedServer::Answer(server.Accept(), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });

  const Client::Response response = client_.Fetch({.url = server.Url()});
  script.join();

  EXPECT_EQ(response.result.outcome, Outcome::kIncomplete);
  EXPECT_EQ(response.result.http_status, 200);
  EXPECT_EQ(response.body, "half");
}

TEST_F(ClientTest, GivesUpWaitingForTheFirstByte) {
  ScriptedServer server;  // Its backlog takes the connection; nobody answers.

  const ClientResult result =
      client_.Fetch({.url = server.Url(), .first_byte_timeout = absl::Milliseconds(50)}).result;

  EXPECT_EQ(result.outcome, Outcome::kNoResponse);
  EXPECT_THAT(result.status, FailsWithReason("FIRST_BYTE_TIMEOUT"));
}

TEST_F(ClientTest, GivesUpOnABodyThatStops) {
  std::promise<Writer> held;  // Until the client has given up.
  Router router;
  router.Route("GET", "/", [&](const Request&, Writer writer) {
    writer->Start(200, {});
    writer->Write("some");
    held.set_value(std::move(writer));
  });
  Start(std::move(router));

  const Client::Response response =
      client_.Fetch({.url = Url("/"), .idle_timeout = absl::Milliseconds(50)});

  EXPECT_EQ(response.result.outcome, Outcome::kIncomplete);
  EXPECT_THAT(response.result.status, FailsWithReason("IDLE_TIMEOUT"));
  EXPECT_EQ(response.body, "some");
  held.get_future().get().reset();
}

TEST_F(ClientTest, GivesUpConnectingToAFullBacklog) {
  const base::UniqueFd full(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Address any = Address::Parse("127.0.0.1:0").value();
  ASSERT_EQ(bind(full.get(), reinterpret_cast<const sockaddr*>(&any.storage), any.size), 0);
  ASSERT_EQ(listen(full.get(), 0), 0);
  const std::string address = absl::StrCat("127.0.0.1:", LocalPort(full.get()));
  const RawPeer only(address);

  const ClientResult result = client_
                                  .Fetch({.url = "http://" + address + "/",
                                          .connect_timeout = absl::Milliseconds(100),
                                          .first_byte_timeout = absl::Seconds(10)})
                                  .result;

  EXPECT_THAT(result.status, FailsWithReason("CONNECT_TIMEOUT"));
  EXPECT_TRUE(result.nothing_sent());
}

TEST_F(ClientTest, RefusesAResponseOverTheLimit) {
  Router router;
  router.Route("GET", "/", [](const Request&, const Writer& writer) {
    writer->Send(200, {}, std::string(1'001, 'x'));
  });
  Start(std::move(router));

  const ClientResult result = client_.Fetch({.url = Url("/"), .response_bytes_max = 1'000}).result;

  EXPECT_THAT(result.status, FailsWithReason("RESPONSE_TOO_LARGE"));
  EXPECT_EQ(result.outcome, Outcome::kIncomplete);
}

TEST_F(ClientTest, CancelReportsHowFarItCameAndTheServerNotices) {
  Event gone;
  Writer held;
  Router router;
  router.Route("GET", "/", [&](const Request&, Writer writer) {
    writer->OnDisconnect([&] { gone.Set(); });
    writer->Start(200, {});
    held = std::move(writer);
  });
  Start(std::move(router));
  const std::unique_ptr<Client::Handle> handle = StartExchange({.url = Url("/")});
  ASSERT_TRUE(head_.Wait());

  handle->Cancel();

  ASSERT_TRUE(done_.Wait());
  EXPECT_EQ(result_.outcome, Outcome::kIncomplete);
  EXPECT_THAT(result_.status, FailsWithReason("REQUEST_CANCELLED"));
  EXPECT_TRUE(gone.Wait());
  held.reset();
}

TEST_F(ClientTest, DestroyingTheHandleEndsTheExchangeInSilence) {
  Event gone;
  Writer held;
  Router router;
  router.Route("GET", "/", [&](const Request&, Writer writer) {
    writer->OnDisconnect([&] { gone.Set(); });
    writer->Start(200, {});
    held = std::move(writer);
  });
  Start(std::move(router));
  std::unique_ptr<Client::Handle> handle = StartExchange({.url = Url("/")});
  ASSERT_TRUE(head_.Wait());

  handle.reset();

  EXPECT_TRUE(gone.Wait());
  EXPECT_FALSE(done_.WaitFor(absl::ZeroDuration()));
  held.reset();
}

TEST_F(ClientTest, DeliversTheRefusedChunkAgainAfterAPause) {
  const std::string sent(500'000, 'p');
  Router router;
  router.Route("GET", "/",
               [&](const Request&, const Writer& writer) { writer->Send(200, {}, sent); });
  Start(std::move(router));
  Event paused;
  bool refuse = true;
  const auto handle = client_.Start({.url = Url("/"), .idle_timeout = absl::Milliseconds(100)},
                                    {.on_data =
                                         [&](absl::string_view chunk) {
                                           if (std::exchange(refuse, false)) {
                                             paused.Set();
                                             return Flow::kPause;
                                           }
                                           body_.append(chunk.data(), chunk.size());
                                           return Flow::kContinue;
                                         },
                                     .on_done =
                                         [&](ClientResult result) {
                                           result_ = std::move(result);
                                           done_.Set();
                                         }});
  ASSERT_TRUE(paused.Wait());
  EXPECT_FALSE(done_.WaitFor(absl::Milliseconds(300))) << "a pause must not count as idle";

  handle->Resume();

  ASSERT_TRUE(done_.Wait());
  EXPECT_OK(result_.status);
  EXPECT_EQ(body_, sent);
}

TEST_F(ClientTest, EndsOpenExchangesWhenItStops) {
  ScriptedServer server;
  auto client = std::make_unique<Client>();
  const auto handle = client->Start({.url = server.Url()}, {.on_done = [&](ClientResult r) {
                                      result_ = std::move(r);
                                      done_.Set();
                                    }});

  client.reset();

  ASSERT_TRUE(done_.Wait());
  EXPECT_THAT(result_.status, FailsWithReason("CLIENT_STOPPED"));
}

TEST_F(ClientTest, CarriesManyExchangesAtOnceOverAUnixSocket) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.File("s");
  Router router;
  router.Route("POST", "/", [](Request request, Writer writer) {
    writer->Send(200, {}, std::move(request.body));
  });
  ASSERT_OK_AND_ASSIGN(const auto server,
                       Server::Start({.address = "unix:" + path, .threads = 2}, std::move(router)));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 50; ++i) {
        const std::string body = absl::StrCat(thread, "-", i);
        EXPECT_EQ(
            client_.Fetch({.method = "POST", .url = "http://x/", .body = body, .unix_socket = path})
                .body,
            body);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ClientTest, AnExchangeStartedHereIsLikeAnyOther) {
  Router router;
  router.Route("POST", "/", [](Request request, Writer writer) {
    writer->Send(200, {}, std::move(request.body));
  });
  Start(std::move(router));
  for (const std::string body : {"on a new connection", "on one that is there"}) {
    body_.clear();
    Event done;
    ClientCallbacks callbacks = Notes();
    callbacks.on_done = [&](const ClientResult& result) {
      EXPECT_OK(result.status);
      done.Set();
    };
    const auto handle =
        client_.StartHere({.method = "POST", .url = Url("/"), .body = body}, std::move(callbacks));
    ASSERT_TRUE(done.Wait());
    EXPECT_EQ(body_, body);
  }
}

TEST_F(ClientTest, WhatIsStartedHereWithABadHeaderIsNotSent) {
  Router router;
  router.Route("GET", "/", [](const Request&, const Writer&) { ADD_FAILURE() << "it was sent"; });
  Start(std::move(router));

  const auto handle =
      client_.StartHere({.url = Url("/"), .headers = {{"X", "a\r\nY: b"}}}, Notes());

  ASSERT_TRUE(done_.Wait());
  EXPECT_EQ(result_.outcome, Outcome::kNotSent);
  EXPECT_THAT(result_.status, FailsWithReason("HEADERS_INVALID"));
}

TEST_F(ClientTest, DeadlineOfWhatIsStartedHereWakesTheClientsThread) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.File("s");
  Writer held;
  Router router;
  router.Route("GET", "/", [&held](const Request&, Writer writer) { held = std::move(writer); });
  ASSERT_OK_AND_ASSIGN(const auto server, Server::Start({.address = "unix:" + path}, router));

  // Connects at once, so that no socket wakes it.
  const auto handle = client_.StartHere(
      {.url = "http://x/", .unix_socket = path, .total_timeout = absl::Milliseconds(100)}, Notes());

  ASSERT_TRUE(done_.Wait());
  EXPECT_THAT(result_.status, FailsWithReason("TOTAL_TIMEOUT"));
}

TEST_F(ClientTest, StartingHereDoesNotWaitForAThreadThatIsBusy) {
  Start(OneRoute());
  Event busy;
  Event release;
  Event first_done;
  std::unique_ptr<Client::Handle> from_callback;
  ClientCallbacks callbacks;
  callbacks.on_headers = [&](int, const Headers&) {
    busy.Set();
    EXPECT_TRUE(release.Wait());
  };
  callbacks.on_done = [&](const ClientResult&) {
    from_callback = client_.StartHere({.url = Url("/")}, {});
    first_done.Set();
  };
  const auto first = client_.Start({.url = Url("/")}, std::move(callbacks));
  ASSERT_TRUE(busy.Wait());

  const auto second = client_.StartHere({.url = Url("/")}, Notes());

  release.Set();
  ASSERT_TRUE(done_.Wait());
  EXPECT_OK(result_.status);
  ASSERT_TRUE(first_done.Wait());
}

TEST_F(ClientTest, TellsWhenNothingMoreIsAtHandUnlessThatIsTheEnd) {
  ScriptedServer server;
  std::vector<std::string> told;  // By one thread.
  Event flushed;
  ClientCallbacks callbacks = Notes();
  callbacks.on_data = [&](absl::string_view chunk) {
    told.emplace_back(chunk);
    return Flow::kContinue;
  };
  callbacks.on_flush = [&] {
    told.emplace_back("flush");
    flushed.Set();
  };
  const auto handle = client_.Start({.url = server.Url()}, std::move(callbacks));
  const base::UniqueFd peer = server.Accept();
  ScriptedServer::Answer(
      peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n");
  ASSERT_TRUE(flushed.Wait());
  constexpr absl::string_view kRest = "1\r\nc\r\n0\r\n\r\n";
  (void)!send(peer.get(), kRest.data(), kRest.size(), MSG_NOSIGNAL);

  ASSERT_TRUE(done_.Wait());
  EXPECT_EQ(told, (std::vector<std::string>{"a", "b", "flush", "c"}));
}

TEST_F(ClientTest, ThreadsOfAClientDoNotWaitForEachOther) {
  Start(OneRoute());
  Client client(2);
  Event busy;
  const auto wait = [&](int, const Headers&) {
    busy.Set();
    EXPECT_TRUE(done_.Wait());
  };
  const auto first = client.Start({.url = Url("/")}, {.on_headers = wait});
  ASSERT_TRUE(busy.Wait());

  const auto second = client.Start({.url = Url("/")}, Notes());

  EXPECT_TRUE(done_.Wait());
}

}  // namespace
}  // namespace slipway::http
