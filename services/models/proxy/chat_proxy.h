#pragma once

#include <memory>

#include "lib/base/clock.h"
#include "lib/base/executor.h"
#include "lib/base/id_generator.h"
#include "lib/http/router.h"
#include "services/models/domain/attempt_keys.h"
#include "services/models/domain/caller.h"

namespace slipway::models {

// The HTTP entrance for agents: OpenAI's chat completions, with an attempt's key for a key and a
// role for a model. Its calls take the same path as those of the gRPC entrance. Thread-safe.
class ChatProxy final {
 public:
  struct Collaborators {
    Caller& caller;
    AttemptKeys& keys;
    base::Executor& calls;  // Has a thread for each call.
    base::Clock& clock;
    base::IdGenerator& ids;
  };

  explicit ChatProxy(Collaborators collaborators) : with_(collaborators) {}

  // What it serves; the proxy must outlive the server.
  http::Router MakeRouter();

 private:
  using Writer = std::shared_ptr<http::ResponseWriter>;
  class Reply;

  void Queue(http::Request request, const Writer& writer,
             void (ChatProxy::*serve)(const http::Request&, const Writer&));
  void ServeCompletion(const http::Request& request, const Writer& writer);
  void ServeModels(const http::Request& request, const Writer& writer);
  absl::StatusOr<AttemptKey> Authenticate(const http::Request& request);

  const Collaborators with_;
};

}  // namespace slipway::models
