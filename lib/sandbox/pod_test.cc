#include "lib/sandbox/pod.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "lib/testkit/matchers.h"

namespace slipway::sandbox {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::HasSubstr;

// A port of loopback that is bound, and listens only when told to.
class Port final {
 public:
  Port() {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    number_ = std::to_string(ntohs(address.sin_port));
  }
  ~Port() { close(fd_); }
  void Listen() { listen(fd_, 16); }
  const std::string& number() const { return number_; }

 private:
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string number_;
};

TEST(PodTest, AnAddressThatNobodyAnswersIsClosed) {
  const Port port;

  EXPECT_OK(CheckClosed({.host = "127.0.0.1", .port = port.number()}));
}

TEST(PodTest, ANetworkThatStaysOpenIsNoSandbox) {
  Port port;
  port.Listen();

  const absl::Status status = CheckClosed(
      {.host = "127.0.0.1", .port = port.number(), .patience = absl::Milliseconds(500)});

  EXPECT_THAT(status, FailsWithReason("SANDBOX_BROKEN"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("it reaches 127.0.0.1:" + port.number()));
}

TEST(PodTest, AnAddressThatCannotBeCheckedIsNoSandbox) {
  EXPECT_THAT(CheckClosed({.host = "kubernetes", .port = "443"}),
              FailsWithReason("SANDBOX_BROKEN"));
}

TEST(PodTest, OutsideOfAPodNothingIsEntered) {
  EXPECT_THAT(EnterPod(), FailsWithReason("SANDBOX_BROKEN"));
}

}  // namespace
}  // namespace slipway::sandbox
