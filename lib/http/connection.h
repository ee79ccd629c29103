#pragma once

// Before Asio: Boost 1.74 uses std::exchange without including <utility>.
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>

#include "lib/http/exchange.h"
#include "lib/http/io_loop.h"
#include "lib/http/server.h"

namespace slipway::http {

// One client of a server: reads requests, hands them to the router and sends the answers, one at
// a time and in order. Holds itself while open. Everything happens on the loop's thread.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;

  // `limits` and `router` must outlive the connection; `closed` is called once, at the end.
  struct Options {
    std::shared_ptr<IoLoop> loop;
    const ServerLimits& limits;
    const Router& router;
    std::function<void(Connection&)> closed;
  };

  Connection(Options options, Socket socket);

  // May be called from any thread.
  void Start();
  void Drain();  // Ends after the open response, or at once.
  void Abort();

 private:
  template <typename T>
  using Awaitable = boost::asio::awaitable<T>;

  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  Awaitable<void> Run();
  Awaitable<bool> AwaitRequest();  // False when the connection ends instead.
  Awaitable<bool> ServeOne();      // Whether the connection may carry another request.
  // Takes what has arrived; whether the request is complete or wrong.
  bool ReadArrived(Parser& parser, boost::system::error_code& error);
  Awaitable<boost::system::error_code> ReadMessage(Parser& parser);
  Awaitable<void> AwaitResponse();
  Awaitable<void> Pump(std::shared_ptr<Exchange> exchange);
  Awaitable<bool> WriteAll(const Exchange::Batch& batch);
  Awaitable<void> Refuse(boost::system::error_code cause, bool started);
  std::function<void()> Waker();
  void Flush();
  bool ReadAhead();  // False when the peer is gone.
  // Cancels what the socket does when `limit` passes before Disarm.
  void Arm(absl::Duration limit);
  void Disarm();

  const Options options_;
  Socket socket_;
  Peer peer_;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer event_;  // Wakes AwaitResponse when it cannot wait on the socket.
  boost::beast::flat_buffer buffer_;
  std::shared_ptr<Exchange> exchange_;
  uint64_t armed_ = 0;
  bool timed_out_ = false;
  bool draining_ = false;
  bool idle_ = false;
  bool pumping_ = false;
};

}  // namespace slipway::http
