#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/process.h"
#include "lib/http/client.h"
#include "tools/bench/completion_load.h"

namespace slipway::bench {

// The two kinds of reply that the benchmark asks for, as paths of ModelUpstream.
inline constexpr char kLoadShape[] = "/chunks/20/every/5000";
inline constexpr char kLongShape[] = "/chunks/120/every/250000";

// A child that serves HTTP on a port of this machine; ended with the object.
class HttpProcess final {
 public:
  // Starts `argv` and waits until `url` answers anything at all. Fails with what `missing` says
  // when it cannot be started.
  static absl::StatusOr<std::unique_ptr<HttpProcess>> Start(base::Process::Options options,
                                                            const std::string& url,
                                                            absl::Duration patience,
                                                            absl::string_view missing);
  ~HttpProcess();

  pid_t pid() const { return process_.pid(); }

 private:
  explicit HttpProcess(base::Process process) : process_(std::move(process)) {}

  base::Process process_;
};

// A port of 127.0.0.1 that was free a moment ago.
absl::StatusOr<int> FreePort();

// Resident memory of the processes of a session, in bytes, and their threads.
struct SessionUse {
  int64_t resident_bytes = 0;
  int threads = 0;
};
SessionUse UseOfSession(pid_t session);

// nginx that passes everything on to `upstream`, "127.0.0.1:PORT", without buffering.
absl::StatusOr<std::unique_ptr<HttpProcess>> StartNginx(const std::string& directory,
                                                        const std::string& upstream, int port);

// LiteLLM's proxy from a virtual environment, with models "builder" and "long" for those with
// `key`.
struct LiteLlmOptions {
  std::string environment;
  std::string directory;
  std::string upstream;
  int port = 0;
  std::string key;
};
absl::StatusOr<std::unique_ptr<HttpProcess>> StartLiteLlm(const LiteLlmOptions& options);

// Where LiteLLM is unless told otherwise: as tools/install_bench_peers.sh says.
std::string DefaultLiteLlmEnvironment();

}  // namespace slipway::bench
