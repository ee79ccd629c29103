#pragma once

#include <sys/socket.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/file.h"

namespace slipway::http {

// A place to listen on or connect to: "127.0.0.1:8080", "[::1]:0" or "unix:/path". Numeric only.
struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  std::string unix_path;  // Empty for TCP.

  // Fails with ADDRESS_INVALID.
  static absl::StatusOr<Address> Parse(absl::string_view text);

  int family() const { return storage.ss_family; }
};

// A listening, non-blocking socket. A unix socket gets `unix_mode` before anybody can connect and
// replaces one that nobody listens on. Fails with ADDRESS_UNAVAILABLE.
absl::StatusOr<base::UniqueFd> Listen(const Address& address, unsigned unix_mode);

// The TCP port that `fd` is bound to; 0 for a unix socket.
int LocalPort(int fd);

}  // namespace slipway::http
