#include "lib/rpc/socket_path.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"

namespace slipway::rpc {
namespace {

// True unless nobody can be listening; when in doubt somebody is.
bool HasListener(const std::string& path) {
  const base::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return true;
  }
  return errno != ECONNREFUSED && errno != ENOENT;
}

}  // namespace

absl::Status ClearSocketPath(const std::string& path) {
  if (path.empty() || path.size() > kSocketPathBytesMax) {
    return base::Error(absl::StatusCode::kInvalidArgument, "SOCKET_PATH_TOO_LONG",
                       absl::StrCat("the socket path '", path, "' must have 1 to ",
                                    kSocketPathBytesMax, " bytes; choose a shorter data directory"),
                       {{"path", path}});
  }
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : base::ErrnoStatus(errno, path);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "SOCKET_PATH_TAKEN",
                       absl::StrCat("'", path, "' exists and is not a socket; move it away"),
                       {{"path", path}});
  }
  if (HasListener(path)) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "ADDRESS_IN_USE",
                       absl::StrCat("another process listens on '", path, "'"),
                       {{"address", path}});
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return base::ErrnoStatus(errno, path);
  return absl::OkStatus();
}

}  // namespace slipway::rpc
