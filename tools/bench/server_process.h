#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/process.h"

namespace slipway::bench {

// A fresh directory, removed with its content at the end. Short, because sockets live in it.
class ScratchDirectory final {
 public:
  // Below `parent`, which must be on a real disk for figures that mean anything.
  static absl::StatusOr<std::unique_ptr<ScratchDirectory>> Make(const std::string& parent);
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const;

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}

  const std::string path_;
};

// Path of the program that runs, and of one beside it.
std::string OwnProgram();
std::string ProgramBeside(absl::string_view name);

// A child that serves on a Unix socket; killed at the end of the object if it still runs.
class ServerProcess final {
 public:
  // slipway-ledger with its database at `database` and prices from files.
  static absl::StatusOr<ServerProcess> StartLedger(
      const std::string& program, const std::string& socket, const std::string& database,
      const std::vector<std::string>& price_files = {});

  // This program as the server of `kind`, "echo" or "naive".
  static absl::StatusOr<ServerProcess> StartOwn(const std::string& kind, const std::string& socket,
                                                const std::string& database);

  const std::string& address() const { return address_; }
  pid_t pid() const { return process_.pid(); }

  // Waits until its socket is there: a client that dials before may wait for seconds.
  absl::Status WaitForSocket();

  // SIGTERM, then waits for the end.
  absl::Status Stop();

  // SIGKILL, at once.
  void Kill();

 private:
  ServerProcess(base::Process process, std::string address)
      : process_(std::move(process)), address_(std::move(address)) {}

  base::Process process_;
  std::string address_;
};

}  // namespace slipway::bench
