#include "lib/http/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/mutex.h"
#include "lib/http/address.h"
#include "lib/http/client.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::http {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Writer = std::shared_ptr<ResponseWriter>;

// A plain socket to a server, to say what no proper client would.
class RawPeer final {
 public:
  explicit RawPeer(absl::string_view address, int receive_buffer = 0) {
    const Address to = Address::Parse(address).value();
    fd_ = base::UniqueFd(socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) {
      setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    const timeval patience = {.tv_sec = 20};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    connected_ = connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.size) == 0;
  }

  bool connected() const { return connected_; }
  bool Send(absl::string_view bytes) {
    return send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  // Reads until `end` was seen, or to the end of the connection.
  std::string ReadUntil(absl::string_view end) {
    while (read_.find(end.data(), 0, end.size()) == std::string::npos && ReadMore()) {
    }
    const size_t found = read_.find(end.data(), 0, end.size());
    const size_t size = found == std::string::npos ? read_.size() : found + end.size();
    const std::string result = read_.substr(0, size);
    read_.erase(0, size);
    return result;
  }
  std::string ReadAll() {
    while (ReadMore()) {
    }
    return std::exchange(read_, "");
  }
  void Close() { fd_.Close(); }

 private:
  bool ReadMore() {
    char bytes[65'536];
    const ssize_t size = recv(fd_.get(), bytes, sizeof(bytes), 0);
    if (size > 0) read_.append(bytes, static_cast<size_t>(size));
    return size > 0;
  }

  base::UniqueFd fd_;
  bool connected_ = false;
  std::string read_;
};

// Something that another thread makes true.
class Event final {
 public:
  void Set() {
    base::MutexLock lock(mutex_);
    set_ = true;
    changed_.NotifyAll();
  }
  bool Wait() {
    base::MutexLock lock(mutex_);
    while (!set_) {
      if (!changed_.WaitFor(mutex_, absl::Seconds(20))) return set_;
    }
    return true;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool set_ = false;
};

class ServerTest : public ::testing::Test {
 protected:
  void Start(Router router, ServerLimits limits = {}) {
    server_ = Server::Start({.address = "127.0.0.1:0",
                             .threads = 2,
                             .limits = limits,
                             .drain_timeout = absl::Milliseconds(200)},
                            std::move(router))
                  .value();
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", server_->port()); }
  std::string Url(absl::string_view path) const { return absl::StrCat("http://", address(), path); }
  std::string Exchange(absl::string_view bytes) {
    RawPeer peer(address());
    peer.Send(bytes);
    return peer.ReadAll();
  }

  std::unique_ptr<Server> server_;
  Client client_;
};

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

}  // namespace
}  // namespace slipway::http
