#pragma once

#include <functional>

#include "absl/strings/string_view.h"

namespace slipway::log {

// Sends every line of the process to `sink`, without its newline, instead of stderr until the end
// of the scope. For tests. `sink` is called by one thread at a time and must not log. Scopes nest.
class ScopedSink final {
 public:
  using Sink = std::function<void(absl::string_view line)>;

  explicit ScopedSink(Sink sink);
  ~ScopedSink();
  ScopedSink(const ScopedSink&) = delete;
  ScopedSink& operator=(const ScopedSink&) = delete;

 private:
  Sink outer_;
};

}  // namespace slipway::log
