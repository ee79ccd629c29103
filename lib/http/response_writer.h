#pragma once

#include <string>

#include "absl/functional/any_invocable.h"
#include "lib/http/headers.h"

namespace slipway::http {

// The answer to one request. Thread-safe; calls never block and callbacks run on the connection's
// io thread, where they must not block either. After the peer is gone every call is harmless.
//
// Exactly one answer is given: the first Send or Start counts, later ones are ignored. Dropping
// the last hold before an answer sends 500; dropping it after Start and before Finish breaks the
// connection, so that the peer can tell that the body is not complete.
class ResponseWriter {
 public:
  enum class Accepted {
    kTaken,
    kFull,    // Nothing was taken: wait with OnWritable, then write the same chunk again.
    kClosed,  // The peer is gone, or no body is open. Nothing will be taken any more.
  };
  // `sent`: whether the chunk was handed to the system; false when the connection broke first.
  using Written = absl::AnyInvocable<void(bool sent)>;

  virtual ~ResponseWriter() = default;

  // A whole answer. Content-Length is added.
  virtual void Send(int status, Headers headers, std::string body) = 0;

  // Sends the head at once, together with `first` of the body; the rest follows by Write and ends
  // with Finish. Chunked, unless `headers` has Content-Length; then exactly that many bytes must
  // come.
  virtual void Start(int status, Headers headers, std::string first = "") = 0;

  // Sends `chunk` at once. At most the server's `response_buffer_bytes` wait for the peer; a
  // chunk larger than that is taken only when nothing else waits. `written` is called once if
  // the chunk was taken, else never.
  virtual Accepted Write(std::string chunk, Written written = nullptr) = 0;

  // Whether less than half of the buffer is in use. Advice: Write decides.
  virtual bool writable() const = 0;

  // Calls `callback` once, as soon as writable() or the peer is gone. Replaces an earlier one.
  virtual void OnWritable(absl::AnyInvocable<void()> callback) = 0;

  // Ends the body with `last`, which is taken whatever waits and goes together with the end.
  virtual void Finish(std::string last = "") = 0;

  // Calls `callback` at most once, when the peer goes away before the answer is complete. Called
  // at once if it is gone already. Replaces an earlier one. A peer that shuts down its sending
  // side counts as gone.
  virtual void OnDisconnect(absl::AnyInvocable<void()> callback) = 0;
};

}  // namespace slipway::http
