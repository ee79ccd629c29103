#include "tools/bench/server_process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

namespace slipway::bench {
namespace {

constexpr absl::Duration kStopTimeout = absl::Seconds(30);

absl::StatusOr<base::Process> Spawn(std::vector<std::string> argv) {
  return base::Process::Spawn({.argv = std::move(argv), .inherit_env = true, .fds = {{2, 2}}});
}

}  // namespace

std::string OwnProgram() {
  std::array<char, 4096> path;
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  return size > 0 ? std::string(path.data(), static_cast<size_t>(size)) : "slipway-bench";
}

absl::StatusOr<std::unique_ptr<ScratchDirectory>> ScratchDirectory::Make(
    const std::string& parent) {
  std::string pattern = absl::StrCat(parent, "/slipway-bench-XXXXXX");
  if (mkdtemp(pattern.data()) == nullptr) {
    return base::ErrnoStatus(errno, absl::StrCat("cannot make a directory in ", parent));
  }
  // A server that runs as another user has its directory below; nobody can list this one.
  if (chmod(pattern.c_str(), 0711) != 0) return base::ErrnoStatus(errno, "cannot share it");
  return std::unique_ptr<ScratchDirectory>(new ScratchDirectory(std::move(pattern)));
}

ScratchDirectory::~ScratchDirectory() { base::RemoveTree(path_).IgnoreError(); }

std::string ScratchDirectory::File(absl::string_view name) const {
  return absl::StrCat(path_, "/", name);
}

std::string ProgramBeside(absl::string_view name) {
  const std::string own = OwnProgram();
  return absl::StrCat(own.substr(0, own.rfind('/') + 1), name);
}

absl::StatusOr<ServerProcess> ServerProcess::StartLedger(const std::string& program,
                                                         const std::string& socket,
                                                         const std::string& database,
                                                         const std::vector<std::string>& prices) {
  const std::string address = absl::StrCat("unix:", socket);
  const std::string config = absl::StrCat(database, ".yaml");
  RETURN_IF_ERROR(base::WriteFileAtomic(
      config,
      absl::StrCat("listen: {address: \"", address, "\"}\nlog: {level: error}\ndatabase: \"",
                   database, "\"\nprice_files: [", absl::StrJoin(prices, ", "), "]\n")));
  ASSIGN_OR_RETURN(base::Process process, Spawn({program, "--config", config}));
  return ServerProcess(std::move(process), address);
}

absl::StatusOr<ServerProcess> ServerProcess::StartOwn(const std::string& kind,
                                                      const std::string& socket,
                                                      const std::string& database) {
  const std::string address = absl::StrCat("unix:", socket);
  ASSIGN_OR_RETURN(base::Process process, Spawn({OwnProgram(), "serve", kind, "--listen", address,
                                                 "--database", database}));
  return ServerProcess(std::move(process), address);
}

absl::Status ServerProcess::WaitForSocket() {
  const std::string path = address_.substr(address_.find(':') + 1);
  while (access(path.c_str(), F_OK) != 0) {
    if (process_.Wait(absl::Milliseconds(2)).ok()) {
      return absl::UnavailableError(absl::StrCat("the server of ", path, " has ended"));
    }
  }
  return absl::OkStatus();
}

absl::Status ServerProcess::Stop() {
  process_.Signal(SIGTERM);
  return process_.Wait(kStopTimeout).status();
}

void ServerProcess::Kill() {
  process_.Signal(SIGKILL);
  process_.Wait(kStopTimeout).IgnoreError();
}

}  // namespace slipway::bench
