#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "agent/domain/attempt_report.h"
#include "agent/domain/grant.h"
#include "agent/domain/lease.h"
#include "agent/domain/result.h"
#include "agent/session/dispatcher_client.h"
#include "agent/session/session.h"
#include "agent/supervisor/attempt_directory.h"
#include "agent/supervisor/settings.h"
#include "agent/supervisor/wake_fd.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"

namespace slipway::agent {

// One grant from its snapshot to the receipt of its result. Thread-safe.
class Attempt final {
 public:
  struct Collaborators {
    const Settings& settings;
    DispatcherClient& client;
    Session& session;
    // Whether the agent takes another grant after this one.
    std::function<bool()> goes_on;
    base::Clock& clock;
    base::IdGenerator& ids;
  };

  // `report_changed` is called when there is something to send; it must not block.
  Attempt(Grant grant, Collaborators collaborators, std::function<void()> report_changed);

  const Grant& grant() const { return grant_; }
  Lease& lease() { return lease_; }
  const std::shared_ptr<AttemptReport>& report() const { return report_; }

  // Blocks until it is over: handed in, dropped or lost. Its files are gone then.
  void Run();

 private:
  // The result; absent when there is nothing to hand in.
  std::optional<Result> Work();
  absl::StatusOr<Result> WorkIn(AttemptDirectory& directory);
  void Submit(Result result);
  // On the session at first, else by calls.
  absl::StatusOr<DispatcherClient::Receipt> HandIn(const Result& result);

  const Grant grant_;
  const Collaborators collaborators_;
  const absl::Duration deadline_;
  WakeFd wake_;
  Lease lease_;
  const std::shared_ptr<AttemptReport> report_;
};

}  // namespace slipway::agent
