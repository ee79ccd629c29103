#include "lib/http/forward.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/http/server_fixture.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::http {
namespace {

using ::testing::EndsWith;
using ::testing::IsEmpty;

class ForwardTest : public ServerTest {
 protected:
  void StartForward(std::string target, absl::Duration idle_timeout = absl::Minutes(1)) {
    forward_ = Forward::Start({.listen = "unix:" + socket_path_,
                               .target = std::move(target),
                               .idle_timeout = idle_timeout,
                               .on_closed =
                                   [this](const Forward::Carried& carried) {
                                     carried_ = carried;
                                     closed_.Set();
                                   }})
                   .value();
  }

  const testkit::TemporaryDirectory directory_;
  const std::string socket_path_ = directory_.File("forward.sock");
  Forward::Carried carried_;
  Event closed_;
  std::unique_ptr<Forward> forward_;
};

TEST_F(ForwardTest, CarriesHttpBothWays) {
  Router router;
  router.Route("POST", "/", [](Request request, Writer writer) {
    writer->Send(200, {}, std::move(request.body));
  });
  Start(std::move(router));
  StartForward(address());
  const std::string body(5'000'000, 'f');

  const Client::Response response = client_.Fetch(
      {.method = "POST", .url = "http://x/", .body = body, .unix_socket = socket_path_});

  EXPECT_EQ(response.body, body);
}

TEST_F(ForwardTest, PassesTheEndOfOneSideOnAndStillCarriesTheOther) {
  const base::UniqueFd target = Listen(Address::Parse("127.0.0.1:0").value(), 0).value();
  fcntl(target.get(), F_SETFL, 0);
  StartForward(absl::StrCat("127.0.0.1:", LocalPort(target.get())));
  const Address listen = Address::Parse("unix:" + socket_path_).value();
  const base::UniqueFd near(socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(connect(near.get(), reinterpret_cast<const sockaddr*>(&listen.storage), listen.size),
            0);
  base::UniqueFd far(accept(target.get(), nullptr, nullptr));

  ASSERT_EQ(send(near.get(), "question", 8, 0), 8);
  shutdown(near.get(), SHUT_WR);
  char bytes[16] = {};
  ASSERT_EQ(recv(far.get(), bytes, 8, MSG_WAITALL), 8);
  ASSERT_EQ(recv(far.get(), bytes, 1, 0), 0);
  ASSERT_EQ(send(far.get(), "reply", 5, 0), 5);
  far.Close();

  EXPECT_EQ(recv(near.get(), bytes, 16, MSG_WAITALL), 5);
  ASSERT_TRUE(closed_.Wait());
  EXPECT_EQ(carried_.bytes_to_target, 8u);
  EXPECT_EQ(carried_.bytes_from_target, 5u);
  EXPECT_TRUE(carried_.connected);
  EXPECT_EQ(forward_->connections(), 0);
}

TEST_F(ForwardTest, ClosesAConnectionWhoseTargetIsMissing) {
  StartForward("unix:" + directory_.File("missing.sock"));

  RawPeer peer("unix:" + socket_path_);

  EXPECT_THAT(peer.ReadAll(), IsEmpty());
  ASSERT_TRUE(closed_.Wait());
  EXPECT_FALSE(carried_.connected);
}

TEST_F(ForwardTest, ClosesAnIdleConnection) {
  Start(Router());
  StartForward(address(), absl::Milliseconds(50));

  RawPeer peer("unix:" + socket_path_);

  EXPECT_THAT(peer.ReadAll(), IsEmpty());
  EXPECT_TRUE(closed_.Wait());
}

TEST_F(ForwardTest, ReportsEveryConnectionBeforeItIsGone) {
  Start(Router());
  StartForward(address());
  RawPeer peer("unix:" + socket_path_);
  peer.Send("GET / HTTP/1.1\r\n\r\n");
  ASSERT_THAT(peer.ReadUntil("\r\n\r\n"), EndsWith("\r\n\r\n"));

  forward_.reset();

  EXPECT_TRUE(closed_.WaitFor(absl::ZeroDuration()));
  EXPECT_EQ(carried_.bytes_to_target, 18u);
}

}  // namespace
}  // namespace slipway::http
