#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/http/headers.h"

namespace slipway::http {

// What to ask, and how long to wait for it. A timeout of InfiniteDuration is off.
struct ClientRequest {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::string body;
  std::string unix_socket;  // Connects here; the URL then only names the host header.
  std::string proxy;        // None by default; the environment is never asked.

  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration first_byte_timeout = absl::Seconds(60);  // From the start to the response's head.
  absl::Duration idle_timeout = absl::Seconds(60);  // Between bytes of the body, unless paused.
  absl::Duration total_timeout = absl::InfiniteDuration();

  // Fails with RESPONSE_TOO_LARGE beyond it.
  uint64_t response_bytes_max = 64u << 20;

  // PEM files; empty: the system's authorities, no client certificate. The server's certificate
  // and name are always checked.
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
};

// How far an exchange came.
enum class Outcome {
  kNotSent,        // Refused or cancelled before there was a connection.
  kConnectFailed,  // There was no connection.
  kNoResponse,     // Something was sent; no response head came. The server may have acted.
  kIncomplete,     // A response head came, but not the whole body.
  kComplete,
};

struct ClientResult {
  Outcome outcome = Outcome::kNotSent;
  // OK only if complete. Reasons: URL_INVALID, HEADERS_INVALID, CLIENT_STOPPED, REQUEST_CANCELLED,
  // CONNECT_FAILED, CONNECT_TIMEOUT, TLS_FAILED, FIRST_BYTE_TIMEOUT, IDLE_TIMEOUT, TOTAL_TIMEOUT,
  // RESPONSE_TOO_LARGE, CONNECTION_BROKEN.
  absl::Status status;
  int http_status = 0;  // 0 without a response head.
  uint64_t received_bytes = 0;

  // Proof that the server saw no byte of the request.
  bool nothing_sent() const {
    return outcome == Outcome::kNotSent || outcome == Outcome::kConnectFailed;
  }
};

// Called by one thread at a time, one of the client's or one that starts an exchange; must not
// block.
struct ClientCallbacks {
  enum class Flow {
    kContinue,
    kPause,  // The chunk was not taken: it comes again after Resume.
  };
  absl::AnyInvocable<void(int status, const Headers& headers)> on_headers;
  absl::AnyInvocable<Flow(absl::string_view chunk)> on_data;
  // After one or more of on_data, once nothing more is at hand; not where on_done comes at once.
  absl::AnyInvocable<void()> on_flush;
  absl::AnyInvocable<void(ClientResult result)> on_done;  // Once, last.
};

// An HTTP/1.1 client: a thread for all exchanges, connections reused, no redirects, no retries
// (not even of a request that a reused connection lost, unless its method is idempotent).
// Thread-safe.
class Client final {
 public:
  // An exchange under way. Destroying it ends the exchange in silence: when that returns, no
  // callback runs or will run, except the one that destroys it. Thread-safe.
  class Handle {
   public:
    virtual ~Handle() = default;
    // Ends the exchange early; on_done then tells how far it came.
    virtual void Cancel() = 0;
    // Continues after kPause. Harmless when not paused.
    virtual void Resume() = 0;
  };

  struct Response {
    ClientResult result;
    Headers headers;
    std::string body;
  };

  // More `threads` share many exchanges: what comes at the same time does not queue. Each has
  // connections of its own.
  explicit Client(int threads = 1);
  ~Client();  // Ends open exchanges with CLIENT_STOPPED.

  [[nodiscard]] std::unique_ptr<Handle> Start(ClientRequest request, ClientCallbacks callbacks);

  // As Start, but sends the request from this thread where one of the client's is at rest, which
  // saves waking it. Callbacks, of this exchange and of others, may run before this returns: the
  // caller must hold no lock that one of them takes.
  [[nodiscard]] std::unique_ptr<Handle> StartHere(ClientRequest request, ClientCallbacks callbacks);

  // Blocks until the exchange is over. Not from a callback of this client.
  Response Fetch(ClientRequest request);

 private:
  class Loop;
  const std::shared_ptr<Loop>& NextLoop();

  std::vector<std::shared_ptr<Loop>> loops_;
  std::atomic<size_t> next_ = 0;
};

}  // namespace slipway::http
