#include "lib/http/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"

namespace slipway::http {
namespace {

absl::Status Invalid(absl::string_view text, absl::string_view why) {
  return base::Error(absl::StatusCode::kInvalidArgument, "ADDRESS_INVALID",
                     absl::StrCat("address '", text, "' ", why,
                                  "; use \"unix:/path\", \"127.0.0.1:port\" or \"[::1]:port\""),
                     {{"address", std::string(text)}});
}

absl::Status Unavailable(const Address& address, absl::string_view what, int error_number) {
  const std::string name = address.unix_path.empty() ? "the TCP address" : address.unix_path;
  return base::Error(absl::StatusCode::kUnavailable, "ADDRESS_UNAVAILABLE",
                     absl::StrCat("cannot ", what, " ", name, ": ", strerror(error_number)),
                     {{"address", name}});
}

const sockaddr* Raw(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

// Whether a socket file is left over from a process that no longer listens.
bool IsAbandoned(const Address& address) {
  struct stat info;
  if (lstat(address.unix_path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const base::UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return probe.valid() && connect(probe.get(), Raw(address), address.size) != 0 &&
         errno == ECONNREFUSED;
}

}  // namespace

absl::StatusOr<Address> Address::Parse(absl::string_view text) {
  Address address;
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "unix:")) {
    auto* local = reinterpret_cast<sockaddr_un*>(&address.storage);
    if (rest.empty()) return Invalid(text, "has no path");
    if (rest.size() >= sizeof(local->sun_path)) return Invalid(text, "is over 107 bytes");
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, rest.data(), rest.size());
    address.size = sizeof(sockaddr_un);
    address.unix_path = std::string(rest);
    return address;
  }
  const size_t colon = rest.rfind(':');
  int port = 0;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(rest.substr(colon + 1), &port) ||
      port < 0 || port > 65'535) {
    return Invalid(text, "has no valid port");
  }
  absl::string_view host = rest.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]")) {
    auto* remote = reinterpret_cast<sockaddr_in6*>(&address.storage);
    remote->sin6_family = AF_INET6;
    remote->sin6_port = htons(static_cast<uint16_t>(port));
    address.size = sizeof(sockaddr_in6);
    if (inet_pton(AF_INET6, std::string(host).c_str(), &remote->sin6_addr) == 1) return address;
    return Invalid(text, "has no numeric host");
  }
  auto* remote = reinterpret_cast<sockaddr_in*>(&address.storage);
  remote->sin_family = AF_INET;
  remote->sin_port = htons(static_cast<uint16_t>(port));
  address.size = sizeof(sockaddr_in);
  if (inet_pton(AF_INET, std::string(host).c_str(), &remote->sin_addr) == 1) return address;
  return Invalid(text, "has no numeric host");
}

absl::StatusOr<base::UniqueFd> Listen(const Address& address, unsigned unix_mode) {
  base::UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return Unavailable(address, "make a socket for", errno);
  if (address.unix_path.empty()) {
    const int on = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  } else if (IsAbandoned(address)) {
    unlink(address.unix_path.c_str());
  }
  if (bind(fd.get(), Raw(address), address.size) != 0) {
    return Unavailable(address, "bind", errno);
  }
  // Nobody can connect between bind and listen, so the mode is never wider than asked.
  if (!address.unix_path.empty() && chmod(address.unix_path.c_str(), unix_mode) != 0) {
    return Unavailable(address, "set the mode of", errno);
  }
  if (listen(fd.get(), SOMAXCONN) != 0) return Unavailable(address, "listen on", errno);
  return fd;
}

int LocalPort(int fd) {
  sockaddr_storage storage = {};
  socklen_t size = sizeof(storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return 0;
  if (storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }
  if (storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  }
  return 0;
}

}  // namespace slipway::http
