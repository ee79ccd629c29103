#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/http/response_writer.h"

namespace slipway::http {

// The response to one request between a handler, on any thread, and the connection that sends it.
// What the system takes at once is sent by the handler's thread, the rest on the io thread, to
// which a handover takes longer than the sending. Thread-safe. Callbacks run outside the lock.
class Exchange final {
 public:
  struct Options {
    bool head_only = false;   // The request was HEAD.
    bool keep_alive = true;   // What the request asks for.
    bool chunked = true;      // False for HTTP/1.0, where the end of the connection ends the body.
    size_t buffer_bytes = 0;  // See ServerLimits::response_buffer_bytes.
    int socket = -1;          // The connection's; stays open until Close.
    std::function<void()> wake;  // Makes the io thread call Take; must not block.
  };
  struct Item {
    std::string head;
    std::string body;
    bool chunk = false;  // Ends with CRLF on the wire.
    size_t cost = 0;
    ResponseWriter::Written written;
  };
  using Batch = std::vector<Item>;

  explicit Exchange(Options options) : options_(std::move(options)) {}

  // What ResponseWriter says of its methods of the same names.
  void Send(int status, Headers headers, std::string body);
  void Start(int status, Headers headers, std::string first);
  ResponseWriter::Accepted Write(std::string chunk, ResponseWriter::Written written);
  bool writable() const;
  void OnWritable(absl::AnyInvocable<void()> callback);
  void Finish(std::string last);
  void OnDisconnect(absl::AnyInvocable<void()> callback);

  // The handler dropped its writer.
  void Abandon();

  // The io thread's side. Take returns what to send next, empty when there is nothing; Sent must
  // follow each non-empty batch.
  Batch Take();
  void Sent(Batch batch, bool ok);
  // The connection is gone. Idempotent.
  void Close();
  // Nothing more will be sent, and why.
  bool over() const;
  bool keep_alive() const;  // Whether the connection may carry another request.

 private:
  enum class Phase { kWaiting, kStreaming, kFinished, kBroken };

  std::string Head(int status, const Headers& headers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether `bytes` more of the body are what was announced.
  bool Fits(size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddChunk(std::string chunk, ResponseWriter::Written written)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendOrWake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropSent(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  mutable base::Mutex mutex_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kWaiting;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool complete_ ABSL_GUARDED_BY(mutex_) = false;  // All was sent before it closed.
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool in_flight_ ABSL_GUARDED_BY(mutex_) = false;
  bool reusable_ ABSL_GUARDED_BY(mutex_) = true;
  bool bodiless_ ABSL_GUARDED_BY(mutex_) = false;
  bool chunked_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<size_t> body_left_ ABSL_GUARDED_BY(mutex_);  // With Content-Length.
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  size_t buffered_ ABSL_GUARDED_BY(mutex_) = 0;  // Queued and in flight.
  size_t refused_ ABSL_GUARDED_BY(mutex_) = 0;   // Size of the chunk that got kFull last.
  absl::AnyInvocable<void()> on_writable_ ABSL_GUARDED_BY(mutex_);
  absl::AnyInvocable<void()> on_disconnect_ ABSL_GUARDED_BY(mutex_);
};

// The handler's hold on an exchange.
class ExchangeWriter final : public ResponseWriter {
 public:
  explicit ExchangeWriter(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~ExchangeWriter() override { exchange_->Abandon(); }

  void Send(int status, Headers headers, std::string body) override {
    exchange_->Send(status, std::move(headers), std::move(body));
  }
  void Start(int status, Headers headers, std::string first) override {
    exchange_->Start(status, std::move(headers), std::move(first));
  }
  Accepted Write(std::string chunk, Written written) override {
    return exchange_->Write(std::move(chunk), std::move(written));
  }
  bool writable() const override { return exchange_->writable(); }
  void OnWritable(absl::AnyInvocable<void()> callback) override {
    exchange_->OnWritable(std::move(callback));
  }
  void Finish(std::string last) override { exchange_->Finish(std::move(last)); }
  void OnDisconnect(absl::AnyInvocable<void()> callback) override {
    exchange_->OnDisconnect(std::move(callback));
  }

 private:
  const std::shared_ptr<Exchange> exchange_;
};

// The head of a response: status line, `headers` and the empty line.
std::string ResponseHead(int status, const Headers& headers);

}  // namespace slipway::http
