#pragma once

#include <string>
#include <variant>
#include <vector>

#include "agent/domain/result.h"
#include "agent/runner/reporter.h"
#include "lib/base/clock.h"
#include "lib/http/client.h"

namespace slipway::agent {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant".
  std::string content;
};

struct ModelReply {
  std::string text;
  bool cut_off = false;  // The model ran into its limit of output.
};

// Calls models through the metering proxy's socket. Not thread-safe.
class ModelClient final {
 public:
  struct Options {
    std::string socket;
    std::string key;
    std::string role;
  };

  ModelClient(Options options, base::Clock& clock, Reporter& reporter)
      : options_(std::move(options)), clock_(clock), reporter_(reporter) {}

  // The reply, or what the attempt comes to without one. Repeats the call while that may help: a
  // short time after lost connections, server errors and waits of up to two seconds.
  std::variant<ModelReply, Result> Ask(const std::vector<ChatMessage>& messages);

 private:
  struct Exchange;
  std::string RequestBody(const std::vector<ChatMessage>& messages) const;
  Exchange Call(const std::string& body);

  const Options options_;
  base::Clock& clock_;
  Reporter& reporter_;
  http::Client client_;
};

}  // namespace slipway::agent
