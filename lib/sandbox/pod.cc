#include "lib/sandbox/pod.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/status_macros.h"
#include "lib/sandbox/container.h"
#include "lib/sandbox/errors.h"

namespace slipway::sandbox {
namespace {

constexpr absl::Duration kProbeInterval = absl::Milliseconds(300);

// One refusal may come from a network that is not up yet.
constexpr int kRefusalsWanted = 3;

bool Connects(const addrinfo& address, absl::Duration timeout) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const absl::Cleanup close_it = [fd] { close(fd); };
  if (connect(fd, address.ai_addr, address.ai_addrlen) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd waits = {.fd = fd, .events = POLLOUT, .revents = 0};
  if (poll(&waits, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) != 1) return false;
  int error = 0;
  socklen_t size = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

}  // namespace

absl::Status CheckClosed(const ClosedAddress& address) {
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found) != 0) {
    return ContainerBroken(absl::StrCat("'", address.host, ":", address.port,
                                        "', by which its network is checked, is no address"));
  }
  const absl::Cleanup free_it = [found] { freeaddrinfo(found); };
  const absl::Duration end = base::RealClock().Elapsed() + address.patience;
  for (int refusals = 0; refusals < kRefusalsWanted;) {
    const bool open = Connects(*found, address.connect_timeout);
    refusals = open ? 0 : refusals + 1;
    if (open && base::RealClock().Elapsed() >= end) {
      return ContainerBroken(absl::StrCat("its network is open: it reaches ", address.host, ":",
                                          address.port,
                                          "; the cluster's network has to enforce NetworkPolicy"));
    }
    poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(kProbeInterval)));
  }
  return absl::OkStatus();
}

absl::Status EnterPod() {
  RETURN_IF_ERROR(CheckFacts(ReadContainerFacts(), Layer::kPod));
  const char* const host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* const port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr) {
    return ContainerBroken("it is no pod: KUBERNETES_SERVICE_HOST is not set");
  }
  RETURN_IF_ERROR(CheckClosed({.host = host, .port = port}));
  return CloseMemory();
}

}  // namespace slipway::sandbox
