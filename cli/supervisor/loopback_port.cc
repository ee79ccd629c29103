#include "cli/supervisor/loopback_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"

namespace slipway::cli {
namespace {

// The port that was bound, 0 when it is taken.
int TryBind(int port) {
  const base::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  if (bind(fd.get(), generic, size) != 0 || getsockname(fd.get(), generic, &size) != 0) return 0;
  return ntohs(address.sin_port);
}

}  // namespace

absl::StatusOr<int> ChoosePort(std::optional<int> wanted, int preferred) {
  const int port = TryBind(wanted.value_or(preferred));
  if (port != 0) return port;
  if (!wanted.has_value()) {
    const int any = TryBind(0);
    if (any != 0) return any;
  }
  return base::Error(absl::StatusCode::kFailedPrecondition, "PORT_TAKEN",
                     absl::StrCat("port ", wanted.value_or(0), " of 127.0.0.1 is taken"),
                     {{"port", absl::StrCat(wanted.value_or(0))}});
}

}  // namespace slipway::cli
