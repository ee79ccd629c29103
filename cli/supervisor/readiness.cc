#include "cli/supervisor/readiness.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"

namespace slipway::cli {
namespace {

// A service is up within some tens of milliseconds; the socket is cheap to ask.
constexpr absl::Duration kInterval = absl::Milliseconds(2);
constexpr absl::Duration kCheckTimeout = absl::Seconds(1);

// gRPC would back off between its attempts to connect: asks the kernel instead.
bool Listens(const std::string& path) {
  sockaddr_un address = {};
  if (path.size() >= sizeof(address.sun_path)) return false;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const base::UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

bool Serves(grpc::health::v1::Health::StubInterface& stub) {
  const absl::StatusOr<grpc::health::v1::HealthCheckResponse> response =
      rpc::CallUnary(stub, &grpc::health::v1::Health::StubInterface::Check, {},
                     {.timeout = kCheckTimeout, .wait_for_ready = true});
  return response.ok() && response->status() == grpc::health::v1::HealthCheckResponse::SERVING;
}

}  // namespace

absl::Status WaitUntilServing(const std::string& address, absl::Duration timeout,
                              base::Clock& clock, absl::FunctionRef<absl::Status()> check) {
  const std::string path(absl::StripPrefix(address, "unix:"));
  const absl::Duration end = clock.Elapsed() + timeout;
  std::unique_ptr<grpc::health::v1::Health::StubInterface> stub;
  base::Mutex mutex;
  base::CondVar never;
  while (true) {
    RETURN_IF_ERROR(check());
    if (stub == nullptr && Listens(path)) {
      stub = grpc::health::v1::Health::NewStub(rpc::MakeChannel(address));
    }
    if (stub != nullptr && Serves(*stub)) return absl::OkStatus();
    if (clock.Elapsed() >= end) {
      return absl::DeadlineExceededError(absl::StrCat(address, " is not ready"));
    }
    base::MutexLock lock(mutex);
    never.WaitFor(mutex, kInterval);
  }
}

}  // namespace slipway::cli
