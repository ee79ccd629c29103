#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/process.h"
#include "slipway/dispatcher/v1/dispatcher_service.grpc.pb.h"
#include "tools/bench/process_use.h"
#include "tools/bench/scripted_services.h"

namespace slipway::bench {

// A slipway-dispatcher as it runs in earnest, a process with its database on a disk, between
// services that answer at once. Not thread-safe, except for SubmitAsync.
class DispatchWorld final {
 public:
  struct Options {
    std::string program;    // slipway-dispatcher
    std::string directory;  // Of its own; it is made.
    absl::Duration lease_timeout = absl::Seconds(30);
    absl::Duration beat_interval = absl::Seconds(5);
  };
  static absl::StatusOr<std::unique_ptr<DispatchWorld>> Start(const Options& options);
  ~DispatchWorld();

  // SIGKILL, and a new process on the same database; returns the moment before it was started.
  absl::StatusOr<absl::Duration> KillAndStart();

  absl::Status Submit(const dispatcher::v1::PlanSpec& spec);
  void SubmitAsync(const dispatcher::v1::PlanSpec& spec,
                   absl::AnyInvocable<void(absl::Status) &&> done);

  // Waits until the plan is integrated and the dispatcher says so; FAILED_PRECONDITION when it ends
  // otherwise, DEADLINE_EXCEEDED when it takes longer.
  absl::Status WaitForEnd(const std::string& plan, absl::Duration patience);

  // Breaches that the dispatcher's own audit finds.
  absl::StatusOr<int> AuditBreaches();

  ProcessUse Use() const { return UseOfProcess(process_->pid()); }
  ScriptedServices& services() { return *services_; }
  const std::string& agent_address() const { return agent_address_; }
  const std::string& token() const { return token_; }

 private:
  explicit DispatchWorld(const Options& options) : options_(options) {}
  absl::Status StartProcess();

  const Options options_;
  std::string token_;
  std::string agent_address_;
  std::unique_ptr<ScriptedServices> services_;
  std::unique_ptr<base::Process> process_;
  std::unique_ptr<dispatcher::v1::DispatcherService::Stub> stub_;
};

// A plan of `tasks` tasks in `depth` layers; each has up to three parents in the layer before, as
// `seed` says. Depth 1: no task waits for another.
struct PlanShape {
  std::string plan;
  int tasks = 1;
  int depth = 1;
  uint64_t seed = 1;
};
dispatcher::v1::PlanSpec MakePlan(const PlanShape& shape);
std::string PlanName(int number);

}  // namespace slipway::bench
