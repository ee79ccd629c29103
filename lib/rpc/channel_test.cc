#include "lib/rpc/channel.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "lib/base/clock.h"
#include "lib/rpc/client_call.h"
#include "lib/rpc/echo_fixture.h"

namespace slipway::rpc {
namespace {

// Serves in a process of its own, so that only its clients look at their connections: from when a
// byte comes until the pipe is closed.
void ServeWhenTold(int pipe, const std::string& address) {
  char byte = 0;
  if (read(pipe, &byte, 1) != 1) _exit(1);
  EchoHandlers handlers;
  base::ThreadPool executor({.threads = 1});
  EchoService service(executor, handlers);
  const auto server = Server::Start({.address = address, .services = {&service}});
  if (!server.ok()) _exit(1);
  _exit(read(pipe, &byte, 1) == 0 ? 0 : 1);
}

// Not after gRPC's own 5 s, in which nobody looks at a connection that no call waits for.
TEST(ChannelTest, FindsAServerThatIsBackWithinASecondOrTwo) {
  const testkit::TemporaryDirectory directory;
  const std::string address = "unix:" + directory.File("echo.sock");
  std::array<int, 2> pipe;
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(pipe[1]);
    ServeWhenTold(pipe[0], address);
  }
  close(pipe[0]);
  const auto stub = pb::EchoService::NewStub(MakeChannel(address));
  pb::EchoRequest request;
  using Stub = pb::EchoService::StubInterface;
  EXPECT_FALSE(CallUnary(*stub, &Stub::Echo, request).ok());

  EXPECT_EQ(write(pipe[1], "x", 1), 1);

  EXPECT_OK(
      CallWithRetry(base::RealClock(), *stub, &Stub::Echo, request, {.timeout = absl::Seconds(3)}));
  close(pipe[1]);
  waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace slipway::rpc
