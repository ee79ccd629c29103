#pragma once

#include <string>

#include "absl/strings/string_view.h"

#include "agent/domain/result.h"
#include "agent/domain/runner_message.h"

namespace slipway::agent {

// Tells the supervisor, over the runner's standard output. Blocks when the supervisor is slow. Not
// thread-safe.
class Reporter final {
 public:
  explicit Reporter(int fd) : fd_(fd) {}

  void Progress(absl::string_view phase, absl::string_view detail);
  void Log(absl::string_view text);
  // Once, last. A patch goes ahead in pieces.
  void Finish(const Result& result);

 private:
  void Send(const RunnerMessage& message);

  const int fd_;
};

}  // namespace slipway::agent
