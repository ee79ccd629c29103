#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace slipway::http {

// Passes each connection to one fixed address, byte for byte in both directions, so that a
// sandbox without a network reaches that address and nothing else. When one side ends its sending,
// the other side sees that end and may still answer. Thread-safe; one thread.
class Forward final {
 public:
  // What one connection carried.
  struct Carried {
    uint64_t bytes_to_target = 0;
    uint64_t bytes_from_target = 0;
    bool connected = false;  // Whether the target could be reached.
  };
  struct Options {
    std::string listen;  // "unix:/path" or "127.0.0.1:0".
    std::string target;  // "unix:/path" or a numeric "host:port".
    unsigned unix_mode = 0600;
    int connections = 256;  // Further ones are closed at once: one sandbox needs a few.
    absl::Duration idle_timeout = absl::Minutes(30);  // Without a byte either way.
    std::function<void(const Carried&)> on_closed;    // Per connection; must not block.
    std::function<void()> on_bytes;  // After each piece that was passed on; must not block.
  };

  // Fails with ADDRESS_INVALID or ADDRESS_UNAVAILABLE. The target need not exist yet.
  static absl::StatusOr<std::unique_ptr<Forward>> Start(Options options);

  // Breaks every connection and waits until each was reported.
  ~Forward();

  int port() const;  // 0 for a unix socket.
  int connections() const;

 private:
  class State;
  explicit Forward(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace slipway::http
