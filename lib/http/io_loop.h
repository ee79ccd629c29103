#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

namespace slipway::http {

// One thread that runs one io_context until Join. Everything of one connection happens on one
// loop, so a connection needs no locks.
class IoLoop final {
 public:
  IoLoop() : context(1), work_(context.get_executor()) {
    thread_ = std::thread([this] { context.run(); });
  }
  ~IoLoop() { Join(); }

  // Waits until nothing is left to do. Not from the loop's thread.
  void Join() {
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }

  boost::asio::io_context context;

 private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace slipway::http
