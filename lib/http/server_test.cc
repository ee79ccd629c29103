#include "lib/http/server.h"

#include <sys/stat.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/http/admin_server.h"
#include "lib/http/server_fixture.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using testkit::FailsWithReason;

Router Echo() {
  Router router;
  router.Route("POST", "/echo", [](Request request, Writer writer) {
    writer->Send(200, {{"X-Method", request.method}}, std::move(request.body));
  });
  router.Route("GET", "/v1/projects/{project}/plans/{plan}", [](Request request, Writer writer) {
    writer->Send(200, {}, request.parameters["project"] + "|" + request.parameters["plan"]);
  });
  return router;
}

TEST_F(ServerTest, AnswersWithTheRouteParametersDecoded) {
  Start(Echo());

  const Client::Response response = client_.Fetch({.url = Url("/v1/projects/a%2Fb/plans/7")});

  EXPECT_OK(response.result.status);
  EXPECT_EQ(response.result.http_status, 200);
  EXPECT_EQ(response.body, "a/b|7");
}

TEST_F(ServerTest, KeepsAConnectionAndAnswersPipelinedRequestsInOrder) {
  Start(Echo());
  RawPeer peer(address());

  peer.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ntwo"
      "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nthree");
  const std::string replies = peer.ReadAll();

  EXPECT_LT(replies.find("\r\n\r\none"), replies.find("\r\n\r\ntwo"));
  EXPECT_LT(replies.find("\r\n\r\ntwo"), replies.find("\r\n\r\nthree"));
  EXPECT_NE(replies.find("three"), std::string::npos);
}

TEST_F(ServerTest, ServesHeadFromAGetRouteWithoutTheBody) {
  Start(Echo());

  const std::string reply =
      Exchange("HEAD /v1/projects/p/plans/q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

  EXPECT_THAT(reply, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\n"));
}

TEST_F(ServerTest, SaysWhatAPathServesInstead) {
  Start(Echo());

  const std::string wrong_method = Exchange("GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string wrong_path = Exchange("GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n");

  EXPECT_THAT(wrong_method, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(wrong_method, HasSubstr("Allow: POST\r\n"));
  EXPECT_THAT(wrong_path, StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(wrong_path, HasSubstr("PATH_NOT_FOUND"));
}

TEST_F(ServerTest, PrefersLiteralsThenSuffixesThenVariablesThenTheLongestPrefix) {
  Router router;
  const auto say = [](const char* text) {
    return [text](const Request& request, const Writer& writer) {
      const auto id = request.parameters.find("id");
      writer->Send(200, {}, absl::StrCat(text, id == request.parameters.end() ? "" : id->second));
    };
  };
  router.Prefix("GET", "/", say("root"));
  router.Prefix("GET", "/runs/deep/", say("deep"));
  router.Route("GET", "/runs/{id}", say("id="));
  router.Route("GET", "/runs/{id}:pause", say("pause="));
  router.Route("GET", "/runs/new", say("new"));
  Start(std::move(router));

  EXPECT_EQ(client_.Fetch({.url = Url("/runs/new")}).body, "new");
  EXPECT_EQ(client_.Fetch({.url = Url("/runs/7:pause")}).body, "pause=7");
  EXPECT_EQ(client_.Fetch({.url = Url("/runs/7")}).body, "id=7");
  EXPECT_EQ(client_.Fetch({.url = Url("/runs/deep/x/y")}).body, "deep");
  EXPECT_EQ(client_.Fetch({.url = Url("/runs/7/x")}).body, "root");
}

TEST_F(ServerTest, TakesAChunkedBody) {
  Start(Echo());

  const std::string reply = Exchange(
      "POST /echo HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\none\r\n4;x=y\r\n two\r\n0\r\n\r\n");

  EXPECT_THAT(reply, EndsWith("\r\n\r\none two"));
}

TEST_F(ServerTest, TellsAClientThatAsksToGoOn) {
  Start(Echo());
  RawPeer peer(address());

  peer.Send("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(peer.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.Send("ok");

  EXPECT_THAT(peer.ReadUntil("\r\n\r\nok"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

struct Malformed {
  const char* name;
  std::string bytes;
  const char* reply;
};
class ServerRefuses : public ServerTest, public ::testing::WithParamInterface<Malformed> {};

TEST_P(ServerRefuses, WithItsStatusAndCloses) {
  Start(Echo(), {.header_bytes = 1'000, .body_bytes = 100});

  EXPECT_THAT(Exchange(GetParam().bytes), StartsWith(GetParam().reply));
}

INSTANTIATE_TEST_SUITE_P(
    , ServerRefuses,
    ::testing::Values(
        Malformed{"Noise", "\x16\x03\x01 this is no HTTP\r\n\r\n", "HTTP/1.1 400 "},
        Malformed{"BadVersion", "GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400 "},
        Malformed{"BadField", "GET / HTTP/1.1\r\nbad field: x\r\n\r\n", "HTTP/1.1 400 "},
        Malformed{"BadLength", "POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                  "HTTP/1.1 400 "},
        Malformed{"TwoLengths",
                  "POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                  "HTTP/1.1 400 "},
        Malformed{"LengthAndChunked",
                  "POST /echo HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "0\r\n\r\n",
                  "HTTP/1.1 400 "},
        Malformed{"ChunkedAndLength",
                  "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
                  "0\r\n\r\n",
                  "HTTP/1.1 400 "},
        Malformed{"BadChunk",
                  "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
                  "HTTP/1.1 400 "},
        Malformed{"BadEscape", "GET /%zz HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 "},
        Malformed{"LongHeaders", "GET / HTTP/1.1\r\nX: " + std::string(2'000, 'x') + "\r\n\r\n",
                  "HTTP/1.1 431 "},
        Malformed{"EndlessHeaders", "GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x'),
                  "HTTP/1.1 431 "},
        Malformed{"LongBody",
                  "POST /echo HTTP/1.1\r\nContent-Length: 101\r\n\r\n" + std::string(101, 'x'),
                  "HTTP/1.1 413 "},
        Malformed{"LongChunkedBody",
                  "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
                      std::string(101, 'x') + "\r\n0\r\n\r\n",
                  "HTTP/1.1 413 "}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(ServerTest, AnswersARequestThatItsHandlerDrops) {
  Router router;
  router.Route("GET", "/", [](const Request&, const Writer&) {});
  Start(std::move(router));

  const Client::Response response = client_.Fetch({.url = Url("/")});

  EXPECT_EQ(response.result.http_status, 500);
  EXPECT_THAT(response.body, HasSubstr("REQUEST_UNANSWERED"));
}

TEST_F(ServerTest, NeverSendsAHeaderThatWouldSplitTheResponse) {
  Router router;
  router.Route("GET", "/", [](const Request&, const Writer& writer) {
    writer->Send(200, {{"X-Name", "a\r\nSet-Cookie: stolen"}}, "");
  });
  Start(std::move(router));

  const Client::Response response = client_.Fetch({.url = Url("/")});

  EXPECT_EQ(response.result.http_status, 500);
  EXPECT_FALSE(response.headers.Has("Set-Cookie"));
}

TEST_F(ServerTest, EndsASlowRequestAndAnIdleConnection) {
  Start(Echo(),
        {.idle_timeout = absl::Milliseconds(50), .request_timeout = absl::Milliseconds(50)});

  EXPECT_THAT(Exchange("GET / HT"), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(Exchange(""), IsEmpty());
}

TEST_F(ServerTest, TurnsAwayConnectionsBeyondTheLimit) {
  Start(Echo(), {.connections = 1});
  RawPeer first(address());
  first.Send("POST /echo HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
  ASSERT_THAT(first.ReadUntil("\r\n\r\nx"), StartsWith("HTTP/1.1 200 "));

  EXPECT_THAT(RawPeer(address()).ReadAll(), StartsWith("HTTP/1.1 503 "));
}

TEST_F(ServerTest, KnowsTheProcessBehindAUnixSocketAndGuardsItsMode) {
  const testkit::TemporaryDirectory directory;
  const std::string path = directory.File("http.sock");
  Router router;
  router.Route("GET", "/", [](const Request& request, const Writer& writer) {
    writer->Send(200, {}, absl::StrCat(request.peer.process_id.value_or(0)));
  });
  ASSERT_OK_AND_ASSIGN(
      const auto server,
      Server::Start({.address = "unix:" + path, .unix_mode = 0640}, std::move(router)));

  const Client::Response response = client_.Fetch({.url = "http://slipway/", .unix_socket = path});

  EXPECT_EQ(response.body, absl::StrCat(getpid()));
  struct stat info = {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640);
}

TEST_F(ServerTest, ReplacesAnAbandonedUnixSocketButNotALiveOne) {
  const testkit::TemporaryDirectory directory;
  const std::string address = "unix:" + directory.File("http.sock");
  Listen(Address::Parse(address).value(), 0600).value().Close();

  ASSERT_OK_AND_ASSIGN(const auto server, Server::Start({.address = address}, Echo()));

  EXPECT_THAT(Server::Start({.address = address}, Echo()), FailsWithReason("ADDRESS_UNAVAILABLE"));
}

TEST_F(ServerTest, RefusesAddressesThatItCannotMean) {
  for (const char* address : {"", "localhost:80", "127.0.0.1", "127.0.0.1:99999", "unix:"}) {
    EXPECT_THAT(Server::Start({.address = address}, Router()), FailsWithReason("ADDRESS_INVALID"))
        << address;
  }
}

TEST_F(ServerTest, StopLetsAnOpenResponseEnd) {
  Event asked;
  Writer held;
  Router router;
  router.Route("GET", "/", [&](const Request&, Writer writer) {
    held = std::move(writer);
    asked.Set();
  });
  server_ = Server::Start({.address = "127.0.0.1:0", .drain_timeout = absl::Seconds(20)},
                          std::move(router))
                .value();
  RawPeer peer(address());
  peer.Send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(asked.Wait());

  std::thread stopping([this] { server_->Stop(); });
  held->Send(200, {}, "late");
  held.reset();
  stopping.join();

  EXPECT_THAT(peer.ReadAll(), EndsWith("\r\n\r\nlate"));
  EXPECT_EQ(server_->connections(), 0);
}

TEST_F(ServerTest, AWriterMayOutliveTheServer) {
  Event asked;
  Writer held;
  Router router;
  router.Route("GET", "/", [&](const Request&, Writer writer) {
    held = std::move(writer);
    asked.Set();
  });
  Start(std::move(router));
  RawPeer peer(address());
  peer.Send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(asked.Wait());

  server_.reset();

  held->Start(200, {});
  EXPECT_EQ(held->Write("x"), ResponseWriter::Accepted::kClosed);
}

TEST_F(ServerTest, AdminServerShowsMetricsAndReadiness) {
  absl::Status ready = absl::UnavailableError("storage is opening");
  ASSERT_OK_AND_ASSIGN(const auto admin,
                       AdminServer::Start({.address = "127.0.0.1:0",
                                           .metrics = [] { return std::string("up 1\n"); },
                                           .ready = [&] { return ready; }}));
  const std::string url = absl::StrCat("http://127.0.0.1:", admin->port());

  EXPECT_EQ(client_.Fetch({.url = url + "/metrics"}).body, "up 1\n");
  EXPECT_EQ(client_.Fetch({.url = url + "/healthz"}).result.http_status, 200);
  const Client::Response not_ready = client_.Fetch({.url = url + "/readyz"});
  EXPECT_EQ(not_ready.result.http_status, 503);
  EXPECT_EQ(not_ready.body, "storage is opening\n");
}

}  // namespace
}  // namespace slipway::http
