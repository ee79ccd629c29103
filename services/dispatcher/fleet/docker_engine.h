#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/http/client.h"

namespace slipway::dispatcher {

// A container as its engine lists it.
struct EngineContainer {
  std::string id;
  std::string name;   // Without the slash.
  std::string state;  // "created", "running", "exited", "removing", "dead", ...
};

// How a container ended.
struct EngineExit {
  int code = 0;
  bool out_of_memory = false;
  std::string error;  // Of the engine: it could not be started.
};

// The Engine API of one Docker engine. Blocks; thread-safe. Errors carry the engine's words:
// NOT_FOUND, ALREADY_EXISTS, INVALID_ARGUMENT and INTERNAL by its status, UNAVAILABLE when the
// request was not sent, and UNKNOWN when it was and no answer came: then it may have been done.
class DockerEngine final {
 public:
  struct Options {
    std::string address;  // "unix:/path" or "https://host:port".
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    absl::Duration timeout = absl::Seconds(20);  // Of one call: a start takes 0.2 s when idle.
  };

  DockerEngine(http::Client& client, Options options)
      : client_(client), options_(std::move(options)) {}

  // Every container with the labels, whatever its state.
  absl::StatusOr<std::vector<EngineContainer>> List(
      const std::map<std::string, std::string>& labels);

  // `spec` is the JSON of a container; returns its id.
  absl::StatusOr<std::string> Create(const std::string& name, const std::string& spec);

  // OK also when it runs already.
  absl::Status Start(const std::string& id);

  // OK also when it does not run.
  absl::Status Signal(const std::string& id, const std::string& signal);

  // Kills it when it runs. OK also when it is gone or going.
  absl::Status Remove(const std::string& id);

  absl::StatusOr<EngineExit> Inspect(const std::string& id);

  // The last line that it printed.
  absl::StatusOr<std::string> LastLine(const std::string& id);

 private:
  absl::StatusOr<std::string> Call(const std::string& method, const std::string& path,
                                   const std::string& body = "");

  http::Client& client_;
  const Options options_;
};

}  // namespace slipway::dispatcher
