#include "lib/http/connection.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_suffix.hpp>
#include <boost/beast/http.hpp>
#include <exception>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using Message = beast::http::request<beast::http::string_body>;

// How much of later, pipelined requests is read while a response is open.
constexpr size_t kReadAheadBytes = 16u << 10;
// How much of a refused request is read and thrown away so that the peer sees the refusal and not
// a reset connection.
constexpr size_t kLingerBytes = 1u << 20;
constexpr absl::Duration kLingerTimeout = absl::Seconds(2);

absl::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

Peer PeerOf(Connection::Socket& socket) {
  sockaddr_storage storage = {};
  socklen_t size = sizeof(storage);
  getpeername(socket.native_handle(), reinterpret_cast<sockaddr*>(&storage), &size);
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET) {
    const auto& address = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &address.sin_addr, text, sizeof(text));
    return {.address = absl::StrCat(text, ":", ntohs(address.sin_port))};
  }
  if (storage.ss_family == AF_INET6) {
    const auto& address = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof(text));
    return {.address = absl::StrCat("[", text, "]:", ntohs(address.sin6_port))};
  }
  Peer peer = {.address = "unix"};
  ucred credentials = {};
  size = sizeof(credentials);
  if (getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    peer.process_id = credentials.pid;
    peer.user_id = static_cast<int>(credentials.uid);
    peer.group_id = static_cast<int>(credentials.gid);
  }
  return peer;
}

Request ToRequest(Message message, const Peer& peer) {
  Request request = {.method = std::string(View(message.method_string())),
                     .target = std::string(View(message.target())),
                     .peer = peer};
  absl::string_view path = request.target;
  if (absl::ConsumePrefix(&path, "http://") || absl::ConsumePrefix(&path, "https://")) {
    const size_t slash = path.find('/');
    path = slash == absl::string_view::npos ? "/" : path.substr(slash);
  }
  const size_t question = path.find('?');
  request.path = std::string(path.substr(0, question));
  if (question != absl::string_view::npos) request.query = std::string(path.substr(question + 1));
  for (const auto& field : message) {
    request.headers.Add(View(field.name_string()), View(field.value()));
  }
  request.body = std::move(message.body());
  return request;
}

struct Refusal {
  int status = 0;  // 0: the peer is gone, or only idle, and gets no answer.
  absl::string_view code;
  absl::string_view message;
};

Refusal RefusalOf(error_code cause, bool started) {
  using beast::http::error;
  if (cause == asio::error::timed_out) {
    if (!started) return {};
    return {408, "REQUEST_TIMEOUT", "the request did not arrive in time"};
  }
  if (cause == error::header_limit || cause == error::buffer_overflow) {
    return {431, "HEADERS_TOO_LARGE", "the request's header fields are larger than allowed"};
  }
  if (cause == error::body_limit) {
    return {413, "BODY_TOO_LARGE", "the request's body is larger than allowed"};
  }
  if (cause == error::end_of_stream || cause == error::partial_message) return {};
  if (cause.category() != beast::http::make_error_code(error::end_of_stream).category()) return {};
  return {400, "REQUEST_MALFORMED", "the request is not valid HTTP/1.1"};
}

}  // namespace

Connection::Connection(Options options, Socket socket)
    : options_(std::move(options)),
      socket_(std::move(socket)),
      deadline_(options_.loop->context),
      event_(options_.loop->context),
      buffer_(options_.limits.header_bytes + kReadAheadBytes) {}

void Connection::Start() {
  asio::co_spawn(
      options_.loop->context, [self = shared_from_this()] { return self->Run(); }, asio::detached);
}

void Connection::Drain() {
  asio::post(options_.loop->context, [self = shared_from_this()] {
    self->draining_ = true;
    error_code ignored;
    if (self->idle_) self->socket_.cancel(ignored);
  });
}

void Connection::Abort() {
  asio::post(options_.loop->context, [self = shared_from_this()] {
    error_code ignored;
    self->draining_ = true;
    if (self->exchange_ != nullptr) self->exchange_->Close();  // It sends on the socket.
    self->socket_.close(ignored);
    self->event_.cancel();
  });
}

Connection::Awaitable<void> Connection::Run() {
  peer_ = PeerOf(socket_);
  error_code ignored;
  socket_.non_blocking(true, ignored);
  try {
    while (!draining_ && co_await AwaitRequest()) {
      if (!co_await ServeOne()) break;
    }
  } catch (const std::exception&) {
    // Out of memory for this connection: ending it is all that can be done.
  }
  Disarm();
  if (exchange_ != nullptr) exchange_->Close();
  socket_.shutdown(Socket::shutdown_both, ignored);
  socket_.close(ignored);
  options_.closed(*this);
}

// Waits without a buffer, so that an idle connection costs little memory.
Connection::Awaitable<bool> Connection::AwaitRequest() {
  if (buffer_.size() > 0) co_return true;
  idle_ = true;
  Arm(options_.limits.idle_timeout);
  error_code error;
  co_await socket_.async_wait(Socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
  idle_ = false;
  Disarm();
  co_return !error && !timed_out_;
}

// Most requests are there whole when their first byte is: then they take one read and no timer.
bool Connection::ReadArrived(Parser& parser, error_code& error) {
  // What a peer's end means, who waits for more learns by itself.
  if (buffer_.size() == 0 && !ReadAhead()) return false;
  while (buffer_.size() > 0 && !parser.is_done()) {
    // One that waits to be told to go on has not sent more than its header.
    if (parser.is_header_done()) parser.eager(true);
    buffer_.consume(parser.put(buffer_.data(), error));
    if (error == beast::http::error::need_more) {
      error = {};
      return false;
    }
    if (error) return true;
  }
  return parser.is_done();
}

Connection::Awaitable<error_code> Connection::ReadMessage(Parser& parser) {
  error_code error;
  if (ReadArrived(parser, error)) co_return error;
  Arm(options_.limits.request_timeout);
  if (!parser.is_header_done()) {
    co_await beast::http::async_read_header(socket_, buffer_, parser,
                                            asio::redirect_error(asio::use_awaitable, error));
  }
  if (error || parser.is_done()) co_return error;
  if (absl::EqualsIgnoreCase(View(parser.get()[beast::http::field::expect]), "100-continue")) {
    static constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";
    co_await asio::async_write(socket_, asio::buffer(kContinue, sizeof(kContinue) - 1),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return error;
  }
  co_await beast::http::async_read(socket_, buffer_, parser,
                                   asio::redirect_error(asio::use_awaitable, error));
  co_return error;
}

Connection::Awaitable<bool> Connection::ServeOne() {
  bool keep_alive = false;
  {
    Parser parser;
    parser.header_limit(static_cast<uint32_t>(options_.limits.header_bytes));
    parser.body_limit(options_.limits.body_bytes);
    const error_code error = co_await ReadMessage(parser);
    Disarm();
    if (error) {
      co_await Refuse(error, parser.got_some());
      co_return false;
    }
    keep_alive = parser.get().keep_alive();
    const bool http_1_0 = parser.get().version() < 11;
    Request request = ToRequest(parser.release(), peer_);
    exchange_ = std::make_shared<Exchange>(
        Exchange::Options{.head_only = request.method == "HEAD",
                          .keep_alive = keep_alive && !http_1_0,
                          .chunked = !http_1_0,
                          .buffer_bytes = options_.limits.response_buffer_bytes,
                          .socket = socket_.native_handle(),
                          .wake = Waker()});
    options_.router.Serve(std::move(request), std::make_shared<ExchangeWriter>(exchange_));
  }
  co_await AwaitResponse();
  keep_alive = exchange_->keep_alive();
  exchange_->Close();
  exchange_.reset();
  co_return keep_alive;
}

std::function<void()> Connection::Waker() {
  return [loop = options_.loop, weak = weak_from_this()] {
    asio::post(loop->context, [weak] {
      if (const auto self = weak.lock()) self->Flush();
    });
  };
}

// Watches the peer while the handler works. Pump wakes it by cancelling its wait.
Connection::Awaitable<void> Connection::AwaitResponse() {
  const std::shared_ptr<Exchange> exchange = exchange_;
  if (!exchange->over() && buffer_.size() == 0) buffer_.shrink_to_fit();
  while (!exchange->over() || pumping_) {
    error_code error;
    if (buffer_.size() >= kReadAheadBytes) {
      event_.expires_at(asio::steady_timer::time_point::max());
      co_await event_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (!socket_.is_open()) co_return exchange->Close();
      continue;
    }
    co_await socket_.async_wait(Socket::wait_read,
                                asio::redirect_error(asio::use_awaitable, error));
    if (exchange->over() && !pumping_) co_return;
    if (!socket_.is_open()) co_return exchange->Close();
    if (error == asio::error::operation_aborted) continue;
    if (error || !ReadAhead()) co_return exchange->Close();
  }
}

bool Connection::ReadAhead() {
  error_code error;
  const size_t read = socket_.read_some(buffer_.prepare(kReadAheadBytes), error);
  buffer_.commit(read);
  return !error || error == asio::error::would_block;
}

void Connection::Flush() {
  if (pumping_ || exchange_ == nullptr) return;
  pumping_ = true;
  asio::co_spawn(
      options_.loop->context,
      [self = shared_from_this(), exchange = exchange_] { return self->Pump(exchange); },
      asio::detached);
}

Connection::Awaitable<void> Connection::Pump(std::shared_ptr<Exchange> exchange) {
  const std::shared_ptr<Connection> self = shared_from_this();
  for (Exchange::Batch batch = exchange->Take(); !batch.empty(); batch = exchange->Take()) {
    const bool sent = co_await WriteAll(batch);
    exchange->Sent(std::move(batch), sent);
    if (sent) continue;
    exchange->Close();
    break;
  }
  pumping_ = false;
  if (!exchange->over()) co_return;
  error_code ignored;
  socket_.cancel(ignored);
  event_.cancel();
}

Connection::Awaitable<bool> Connection::WriteAll(const Exchange::Batch& batch) {
  std::vector<asio::const_buffer> pieces;
  for (const Exchange::Item& item : batch) {
    if (!item.head.empty()) pieces.push_back(asio::buffer(item.head));
    if (!item.body.empty()) pieces.push_back(asio::buffer(item.body));
    if (item.chunk) pieces.push_back(asio::buffer("\r\n", 2));
  }
  beast::buffers_suffix<std::vector<asio::const_buffer>> rest(pieces);
  while (asio::buffer_size(rest) > 0) {
    error_code error;
    Arm(options_.limits.stall_timeout);
    const size_t written =
        co_await socket_.async_write_some(rest, asio::redirect_error(asio::use_awaitable, error));
    Disarm();
    if (error) co_return false;
    rest.consume(written);
  }
  co_return true;
}

Connection::Awaitable<void> Connection::Refuse(error_code cause, bool started) {
  const Refusal refusal = RefusalOf(timed_out_ ? asio::error::timed_out : cause, started);
  if (refusal.status == 0) co_return;
  const std::string body = ErrorBody(refusal.code, refusal.message);
  const std::string head =
      ResponseHead(refusal.status, {{"Content-Type", "application/json"},
                                    {"Content-Length", absl::StrCat(body.size())},
                                    {"Connection", "close"}});
  error_code error;
  timed_out_ = false;
  Arm(kLingerTimeout);
  co_await asio::async_write(socket_, asio::buffer(head + body),
                             asio::redirect_error(asio::use_awaitable, error));
  socket_.shutdown(Socket::shutdown_send, error);
  size_t left = kLingerBytes;
  buffer_.clear();
  while (!error && !timed_out_ && left > 0) {
    const size_t read = co_await socket_.async_read_some(
        buffer_.prepare(kReadAheadBytes), asio::redirect_error(asio::use_awaitable, error));
    left -= std::min(left, read);
  }
  Disarm();
}

void Connection::Arm(absl::Duration limit) {
  deadline_.expires_after(absl::ToChronoNanoseconds(limit));
  deadline_.async_wait([weak = weak_from_this(), armed = ++armed_](error_code error) {
    const auto self = weak.lock();
    if (error || self == nullptr || self->armed_ != armed) return;
    self->timed_out_ = true;
    error_code ignored;
    self->socket_.cancel(ignored);
  });
}

void Connection::Disarm() {
  ++armed_;
  deadline_.cancel();
}

}  // namespace slipway::http
