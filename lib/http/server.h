#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/http/router.h"

namespace slipway::http {

// What one client may take of a server.
struct ServerLimits {
  size_t header_bytes = 32u << 10;          // 431 beyond it. Clients send a few hundred bytes.
  size_t body_bytes = 8u << 20;             // 413 beyond it. Bodies are held in memory.
  size_t response_buffer_bytes = 1u << 20;  // What may wait for a slow reader, per response.
  int connections = 10'000;                 // 503 beyond it.
  absl::Duration idle_timeout = absl::Seconds(75);     // Between requests.
  absl::Duration request_timeout = absl::Seconds(30);  // From first to last byte of a request.
  absl::Duration stall_timeout = absl::Seconds(60);    // While a peer takes none of its response.
};

// An HTTP/1.1 server over TCP or a unix socket: keep-alive, pipelining (answered one by one, in
// order), streaming responses. Thread-safe.
class Server final {
 public:
  struct Options {
    std::string address;        // "127.0.0.1:0", "[::1]:0" or "unix:/path".
    unsigned unix_mode = 0600;  // Who may connect to a unix socket.
    int threads = 1;
    ServerLimits limits;
    absl::Duration drain_timeout = absl::Seconds(5);  // How long Stop waits for open responses.
  };

  // Fails with ADDRESS_INVALID or ADDRESS_UNAVAILABLE. A unix socket that nobody listens on any
  // more is replaced.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Options options, Router router);

  ~Server();

  // The TCP port in use; 0 for a unix socket.
  int port() const;

  // How many connections are open.
  int connections() const;

  // Refuses new connections, closes idle ones, lets open responses end until the drain timeout,
  // then breaks them, and joins the threads. Idempotent. Not from a handler or callback.
  void Stop();

 private:
  class State;
  explicit Server(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace slipway::http
