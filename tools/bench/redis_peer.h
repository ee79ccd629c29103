#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/process.h"
#include "tools/bench/closed_loop.h"

namespace slipway::bench {

// A Redis server of its own with `appendfsync always`, on a Unix socket, whose two Lua scripts hold
// and settle on the same fifteen buckets. Stopped at the end of the object.
class RedisPeer final {
 public:
  // UNAVAILABLE with the reason when Redis is not installed or does not start.
  static absl::StatusOr<std::unique_ptr<RedisPeer>> Start(const std::string& directory);
  ~RedisPeer();

  const std::string& socket() const { return socket_; }
  pid_t pid() const { return server_.pid(); }

  // Runs pairs of reserve and settle, a thread and a connection for each of `in_flight`.
  absl::StatusOr<Measurement> RunPairs(int in_flight, absl::Duration length);

 private:
  RedisPeer(std::string socket, base::Process server)
      : socket_(std::move(socket)), server_(std::move(server)) {}

  const std::string socket_;
  base::Process server_;
};

}  // namespace slipway::bench
