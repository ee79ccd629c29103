#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "services/gateway/domain/access_log.h"
#include "services/gateway/domain/tokens.h"
#include "services/gateway/rpc/call_registry.h"
#include "services/gateway/rpc/method_table.h"

namespace slipway::gateway {

// Who calls. Without a token: the role PUBLIC and no principal.
struct Caller {
  std::string principal;  // tokens/{t}
  Role role = Role::kPublic;
  absl::Time expire_time = absl::InfiniteFuture();
};

// A call that may be passed on, and everything needed to do so. Lives until the call has ended.
struct Admission {
  const Method* method = nullptr;
  Caller caller;
  std::string request_id;
  std::shared_ptr<grpc::Channel> channel;
  std::shared_ptr<ActiveCall> call = std::make_shared<ActiveCall>();
  CallRegistry::Hold hold;
  absl::Duration started;  // By Clock::Elapsed.
};

// The one place that decides who may call what, for gRPC and HTTP alike. Never blocks. Thread-safe;
// the collaborators must outlive it.
class Gatekeeper final {
 public:
  using Channels = std::map<std::string, std::shared_ptr<grpc::Channel>>;  // By backend.
  struct Collaborators {
    const MethodTable& methods;
    const Tokens& tokens;
    CallRegistry& calls;
    AccessLog& access_log;
    base::Clock& clock;
    base::IdGenerator& ids;
    Channels channels;
  };

  explicit Gatekeeper(Collaborators collaborators) : with_(std::move(collaborators)) {}

  // Decides on a call of `path`, "/package.Service/Method", by the bearer of `secret`, and prepares
  // its context: caller, deadline. Denials are recorded. Fails with TOKEN_MISSING, TOKEN_INVALID,
  // ROLE_REQUIRED, METHOD_INTERNAL, METHOD_UNKNOWN or CALLS_TOO_MANY.
  absl::StatusOr<std::unique_ptr<Admission>> Admit(absl::string_view path,
                                                   const std::optional<std::string>& secret,
                                                   absl::Duration time_left);

  // What the caller is told when the backend, or the way to it, ended the call with `status`; also
  // counts and records the call. Once.
  grpc::Status Conclude(Admission& admission, const grpc::Status& status);

 private:
  absl::StatusOr<Caller> Decide(const Method& method, const std::optional<std::string>& secret);

  Collaborators with_;
};

}  // namespace slipway::gateway
