#pragma once

#include <string>

#include "absl/status/status.h"

namespace slipway::rpc {

// The longest path that fits a Unix socket address on Linux.
inline constexpr size_t kSocketPathBytesMax = 107;

// Makes `path` free for a new listener: removes the socket file of a process that is gone. Fails
// with SOCKET_PATH_TOO_LONG, SOCKET_PATH_TAKEN when the file is something else than a socket,
// ADDRESS_IN_USE when somebody listens there.
absl::Status ClearSocketPath(const std::string& path);

}  // namespace slipway::rpc
