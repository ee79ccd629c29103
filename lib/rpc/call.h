#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "lib/base/clock.h"

namespace slipway::rpc {

// What a handler may know of the RPC it answers. A value: copies stay usable after the RPC ended.
class Call final {
 public:
  // Set to true when the caller is no longer interested.
  using Cancellation = std::shared_ptr<const std::atomic<bool>>;

  struct Options {
    std::string principal;
    std::string role;
    std::string request_id = "request-0";
    absl::Duration deadline = absl::InfiniteDuration();  // Of RealClock().Elapsed().
    Cancellation cancellation;                           // Null: never cancelled.
  };

  Call() : Call(Options()) {}
  explicit Call(Options options) : options_(std::move(options)) {}

  // Who calls, as its credential said; empty for an unauthenticated call.
  const std::string& principal() const { return options_.principal; }
  const std::string& role() const { return options_.role; }

  // Names the call in logs of every service it reaches; never empty on a server.
  const std::string& request_id() const { return options_.request_id; }

  // Until the caller's deadline; InfiniteDuration when it set none.
  absl::Duration time_left() const { return options_.deadline - base::RealClock().Elapsed(); }

  // True once the caller cancelled, hung up or ran into its deadline.
  bool IsCancelled() const {
    return options_.cancellation != nullptr &&
           options_.cancellation->load(std::memory_order_acquire);
  }

 private:
  Options options_;
};

}  // namespace slipway::rpc
