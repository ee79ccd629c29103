#pragma once

#include <memory>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/executor.h"
#include "lib/base/id_generator.h"
#include "lib/http/router.h"
#include "services/models/domain/attempt_keys.h"
#include "services/models/domain/caller.h"

namespace slipway::models {

// The HTTP entrance for agents, in the three dialects, with an attempt's key for a key and a role
// for a model. Its calls take the same path as those of the gRPC entrance. Thread-safe.
class ModelProxy final {
 public:
  struct Collaborators {
    Caller& caller;
    AttemptKeys& keys;
    base::Executor& beginnings;  // Where calls begin; what it is given may block.
    base::Clock& clock;
    base::IdGenerator& ids;
  };

  explicit ModelProxy(Collaborators collaborators) : with_(collaborators) {}

  // What it serves; the proxy must outlive the server.
  http::Router MakeRouter();

 private:
  using Writer = std::shared_ptr<http::ResponseWriter>;
  using Serve = void (ModelProxy::*)(Dialect, http::Request&, const Writer&);

  http::Handler Queued(Dialect dialect, Serve serve);
  http::Handler QueuedCall(Dialect dialect);
  // What a call came with, and the place that it takes.
  struct Arrived {
    Dialect dialect;
    http::Request request;
    Writer writer;
    RunningCalls::Place place;
  };
  void AuthenticateCall(Arrived& arrived);
  void ServeCall(Arrived& arrived, const AttemptKey& key, bool may_block);
  void ServeCount(Dialect dialect, http::Request& request, const Writer& writer);
  void ServeModels(Dialect dialect, http::Request& request, const Writer& writer);
  absl::StatusOr<AttemptKey> Authenticate(const http::Request& request);
  // The request, read and allowed by the key.
  absl::StatusOr<std::shared_ptr<const WireRequest>> Read(Dialect dialect, http::Request& request,
                                                          const AttemptKey& key);

  const Collaborators with_;
};

}  // namespace slipway::models
