#include "lib/http/exchange.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/beast/http/status.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/http/router.h"

namespace slipway::http {
namespace {

// What a queued item costs beside its bytes, so that many tiny chunks are bounded too.
constexpr size_t kItemBytes = 64;

// Of a message to the system by the handler's thread: a head, a chunk and what a few more have.
constexpr size_t kPiecesMax = 16;
constexpr char kChunkEnd[] = "\r\n";
constexpr size_t kChunkEndBytes = 2;

size_t BytesOf(const Exchange::Item& item) {
  return item.head.size() + item.body.size() + (item.chunk ? kChunkEndBytes : 0);
}

bool MayHaveBody(int status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace

std::string ResponseHead(int status, const Headers& headers) {
  const auto reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(status)));
  std::string head = absl::StrCat("HTTP/1.1 ", status, " ",
                                  absl::string_view(reason.data(), reason.size()), "\r\n");
  for (const auto& [name, value] : headers) absl::StrAppend(&head, name, ": ", value, "\r\n");
  head += "\r\n";
  return head;
}

// Framing is ours alone: what a handler says about it is replaced.
std::string Exchange::Head(int status, const Headers& headers) {
  Headers fields = headers;
  reusable_ = options_.keep_alive && !absl::EqualsIgnoreCase(headers.Get("Connection"), "close");
  fields.Remove("Connection");
  fields.Remove("Keep-Alive");
  fields.Remove("Transfer-Encoding");
  size_t length = 0;
  if (!MayHaveBody(status)) {
    fields.Remove("Content-Length");
  } else if (absl::SimpleAtoi(headers.Get("Content-Length"), &length)) {
    body_left_ = length;
  } else {
    fields.Remove("Content-Length");
    chunked_ = options_.chunked;
    if (chunked_) fields.Add("Transfer-Encoding", "chunked");
    if (!chunked_) reusable_ = false;
  }
  if (!reusable_) fields.Add("Connection", "close");
  bodiless_ = options_.head_only || !MayHaveBody(status);
  return ResponseHead(status, fields);
}

void Exchange::Send(int status, Headers headers, std::string body) {
  base::MutexLock lock(mutex_);
  if (phase_ != Phase::kWaiting || closed_) return;
  if (!headers.Valid() || status < 200 || status > 999) {
    status = 500;
    headers = {{"Content-Type", "application/json"}};
    body = ErrorBody("RESPONSE_INVALID", "the server made a response that cannot be sent");
  }
  headers.Set("Content-Length", absl::StrCat(body.size()));
  Item item = {.head = Head(status, headers)};
  if (!bodiless_) item.body = std::move(body);
  phase_ = Phase::kFinished;
  queue_.push_back(std::move(item));
  SendOrWake();
}

void Exchange::Start(int status, Headers headers, std::string first) {
  if (!headers.Valid() || status < 200 || status > 999) return Send(status, headers, "");
  base::MutexLock lock(mutex_);
  if (phase_ != Phase::kWaiting || closed_) return;
  phase_ = Phase::kStreaming;
  queue_.push_back({.head = Head(status, headers)});
  // Without a chunk left to the io thread, so that it goes together with one that comes right
  // after.
  if (first.empty() || !Fits(first.size())) return Wake();
  AddChunk(std::move(first), nullptr);
  SendOrWake();
}

ResponseWriter::Accepted Exchange::Write(std::string chunk, ResponseWriter::Written written) {
  base::MutexLock lock(mutex_);
  if (phase_ != Phase::kStreaming || closed_) return ResponseWriter::Accepted::kClosed;
  if (!Fits(chunk.size())) return ResponseWriter::Accepted::kClosed;
  const size_t cost = chunk.size() + kItemBytes;
  if (buffered_ > 0 && buffered_ + cost > options_.buffer_bytes) {
    refused_ = cost;
    return ResponseWriter::Accepted::kFull;
  }
  refused_ = 0;
  AddChunk(std::move(chunk), std::move(written));
  SendOrWake();
  return ResponseWriter::Accepted::kTaken;
}

bool Exchange::Fits(size_t bytes) const {
  return bodiless_ || !body_left_.has_value() || bytes <= *body_left_;
}

void Exchange::AddChunk(std::string chunk, ResponseWriter::Written written) {
  if (body_left_.has_value() && !bodiless_) *body_left_ -= chunk.size();
  Item item = {.cost = chunk.size() + kItemBytes, .written = std::move(written)};
  if (!bodiless_ && !chunk.empty()) {  // An empty chunk on the wire would end the body.
    item.chunk = chunked_;
    if (chunked_) item.head = absl::StrCat(absl::Hex(chunk.size()), "\r\n");
    item.body = std::move(chunk);
  }
  buffered_ += item.cost;
  queue_.push_back(std::move(item));
}

bool Exchange::HasRoom() const {
  if (buffered_ == 0) return true;
  return buffered_ < options_.buffer_bytes / 2 && buffered_ + refused_ <= options_.buffer_bytes;
}

bool Exchange::writable() const {
  base::MutexLock lock(mutex_);
  return !closed_ && phase_ == Phase::kStreaming && HasRoom();
}

void Exchange::OnWritable(absl::AnyInvocable<void()> callback) {
  {
    base::MutexLock lock(mutex_);
    if (!closed_ && !HasRoom()) {
      on_writable_ = std::move(callback);
      return;
    }
  }
  callback();
}

void Exchange::Finish(std::string last) {
  base::MutexLock lock(mutex_);
  if (phase_ != Phase::kStreaming || closed_) return;
  const bool fits = Fits(last.size());
  if (fits && !last.empty()) AddChunk(std::move(last), nullptr);
  if (!fits || (!bodiless_ && body_left_.value_or(0) > 0)) {
    phase_ = Phase::kBroken;
    return Wake();
  }
  phase_ = Phase::kFinished;
  if (chunked_ && !bodiless_) queue_.push_back({.head = "0\r\n\r\n"});
  SendOrWake();
}

void Exchange::OnDisconnect(absl::AnyInvocable<void()> callback) {
  {
    base::MutexLock lock(mutex_);
    if (!closed_) {
      std::swap(on_disconnect_, callback);
      return;
    }
    if (complete_) return;
  }
  if (callback) callback();
}

void Exchange::Abandon() {
  {
    base::MutexLock lock(mutex_);
    if (closed_ || phase_ == Phase::kFinished || phase_ == Phase::kBroken) return;
    if (phase_ == Phase::kStreaming) {
      phase_ = Phase::kBroken;
      return Wake();
    }
  }
  Send(500, {{"Content-Type", "application/json"}},
       ErrorBody("REQUEST_UNANSWERED", "the server dropped the request without an answer"));
}

void Exchange::SendOrWake() {
  SendQueued();
  // The io thread also has to learn of the end.
  if (!queue_.empty() || phase_ != Phase::kStreaming) Wake();
}

// What `written` and `on_writable` are told comes from the io thread: then it does the sending.
void Exchange::SendQueued() {
  if (options_.socket < 0 || in_flight_ || on_writable_) return;
  iovec pieces[kPiecesMax];
  size_t count = 0;
  size_t bytes = 0;
  const auto add = [&](const char* data, size_t size) {
    if (size == 0) return;
    pieces[count++] = {const_cast<char*>(data), size};
    bytes += size;
  };
  for (const Item& item : queue_) {
    if (item.written || count + 3 > kPiecesMax) break;
    add(item.head.data(), item.head.size());
    add(item.body.data(), item.body.size());
    if (item.chunk) add(kChunkEnd, kChunkEndBytes);
  }
  if (bytes == 0) return;
  msghdr message = {};
  message.msg_iov = pieces;
  message.msg_iovlen = count;
  const ssize_t sent = sendmsg(options_.socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  // Of a failure the io thread learns by itself.
  if (sent > 0) DropSent(static_cast<size_t>(sent));
}

void Exchange::DropSent(size_t bytes) {
  while (bytes > 0) {
    Item& item = queue_.front();
    const size_t size = BytesOf(item);
    if (bytes < size) {
      std::string rest = absl::StrCat(item.head, item.body, item.chunk ? kChunkEnd : "");
      item.head = rest.substr(bytes);
      item.body.clear();
      item.chunk = false;
      return;
    }
    bytes -= size;
    buffered_ -= item.cost;
    queue_.pop_front();
  }
}

// Posts under the lock: after Close nothing is posted, so that a loop that has ended gets no work.
void Exchange::Wake() {
  if (std::exchange(woken_, true)) return;
  options_.wake();
}

Exchange::Batch Exchange::Take() {
  base::MutexLock lock(mutex_);
  Batch batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.end()));
  queue_.clear();
  in_flight_ = !batch.empty();
  if (batch.empty()) woken_ = false;
  return batch;
}

void Exchange::Sent(Batch batch, bool ok) {
  absl::AnyInvocable<void()> on_writable;
  {
    base::MutexLock lock(mutex_);
    in_flight_ = false;
    for (const Item& item : batch) buffered_ -= item.cost;
    if (ok && HasRoom()) std::swap(on_writable, on_writable_);
  }
  for (Item& item : batch) {
    if (item.written) item.written(ok);
  }
  if (on_writable) on_writable();
}

void Exchange::Close() {
  Batch unsent;
  absl::AnyInvocable<void()> on_writable;
  absl::AnyInvocable<void()> on_disconnect;
  bool complete = false;
  {
    base::MutexLock lock(mutex_);
    if (std::exchange(closed_, true)) return;
    complete_ = phase_ == Phase::kFinished && queue_.empty() && !in_flight_;
    complete = complete_;
    unsent.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.end()));
    queue_.clear();
    for (const Item& item : unsent) buffered_ -= item.cost;
    std::swap(on_writable, on_writable_);
    std::swap(on_disconnect, on_disconnect_);
  }
  for (Item& item : unsent) {
    if (item.written) item.written(false);
  }
  if (complete) return;
  if (on_writable) on_writable();
  if (on_disconnect) on_disconnect();
}

bool Exchange::over() const {
  base::MutexLock lock(mutex_);
  if (closed_) return true;
  return queue_.empty() && !in_flight_ && (phase_ == Phase::kFinished || phase_ == Phase::kBroken);
}

bool Exchange::keep_alive() const {
  base::MutexLock lock(mutex_);
  return !closed_ && reusable_ && phase_ == Phase::kFinished;
}

}  // namespace slipway::http
