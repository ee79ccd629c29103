#include "tools/bench/dispatch_world.h"

#include <signal.h>

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/client_call.h"

namespace slipway::bench {
namespace {

namespace dispatcher_pb = ::slipway::dispatcher::v1;
using DispatcherStub = dispatcher_pb::DispatcherService::StubInterface;

constexpr absl::Duration kStartPatience = absl::Seconds(30);
constexpr absl::Duration kStopPatience = absl::Seconds(30);
constexpr absl::Duration kSubmitPatience = absl::Seconds(60);
constexpr absl::Duration kAuditPatience = absl::Minutes(5);
constexpr absl::Duration kPollInterval = absl::Milliseconds(2);
constexpr int kParentsMax = 3;
constexpr char kToken[] = "a token for the agents of the benchmark";

constexpr char kConfig[] = R"(listen: {address: "unix:$DIR/dispatcher.sock"}
log: {level: error}
database: $DIR/dispatcher.db
log_directory: $DIR/logs
agent_address: "unix:$DIR/agents.sock"
reviewer_address: "$SERVICES"
models_address: "$SERVICES"
ledger_address: "$SERVICES"
hosts:
  - name: bench
    slots: 1000
    external: {token_file: $DIR/token}
lease_timeout: $LEASE
beat_interval: $BEAT
)";

std::string SecondsText(absl::Duration duration) {
  return absl::StrFormat("%.3fs", absl::ToDoubleSeconds(duration));
}

}  // namespace

absl::StatusOr<std::unique_ptr<DispatchWorld>> DispatchWorld::Start(const Options& options) {
  std::unique_ptr<DispatchWorld> world(new DispatchWorld(options));
  const std::string& directory = options.directory;
  RETURN_IF_ERROR(base::MakeDirectories(directory));
  world->token_ = kToken;
  RETURN_IF_ERROR(base::WriteFileAtomic(directory + "/token", kToken));
  ASSIGN_OR_RETURN(world->services_, ScriptedServices::Start(directory + "/services.sock"));
  RETURN_IF_ERROR(base::WriteFileAtomic(
      directory + "/dispatcher.yaml",
      absl::StrReplaceAll(kConfig, {{"$DIR", directory},
                                    {"$SERVICES", world->services_->address()},
                                    {"$LEASE", SecondsText(options.lease_timeout)},
                                    {"$BEAT", SecondsText(options.beat_interval)}})));
  world->agent_address_ = absl::StrCat("unix:", directory, "/agents.sock");
  world->stub_ = dispatcher_pb::DispatcherService::NewStub(
      rpc::MakeChannel(absl::StrCat("unix:", directory, "/dispatcher.sock")));
  RETURN_IF_ERROR(world->StartProcess());
  RETURN_IF_ERROR(rpc::CallWithRetry(base::RealClock(), *world->stub_, &DispatcherStub::ListRuns,
                                     {}, {.timeout = kStartPatience})
                      .status());
  return world;
}

DispatchWorld::~DispatchWorld() {
  if (process_ == nullptr) return;
  process_->Signal(SIGTERM);
  process_->Wait(kStopPatience).IgnoreError();
}

absl::Status DispatchWorld::StartProcess() {
  ASSIGN_OR_RETURN(base::Process process,
                   base::Process::Spawn({.argv = {options_.program, "--config",
                                                  options_.directory + "/dispatcher.yaml"},
                                         .inherit_env = true,
                                         .fds = {{2, 2}}}));
  process_ = std::make_unique<base::Process>(std::move(process));
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> DispatchWorld::KillAndStart() {
  process_->Signal(SIGKILL);
  RETURN_IF_ERROR(process_->Wait(kStopPatience).status());
  const absl::Duration begin = base::RealClock().Elapsed();
  RETURN_IF_ERROR(StartProcess());
  return begin;
}

absl::Status DispatchWorld::Submit(const dispatcher_pb::PlanSpec& spec) {
  dispatcher_pb::SubmitPlanRequest request;
  *request.mutable_spec() = spec;
  return rpc::CallUnary(*stub_, &DispatcherStub::SubmitPlan, request, {.timeout = kSubmitPatience})
      .status();
}

void DispatchWorld::SubmitAsync(const dispatcher_pb::PlanSpec& spec,
                                absl::AnyInvocable<void(absl::Status) &&> done) {
  using Async = dispatcher_pb::DispatcherService::StubInterface::async_interface;
  using Method =
      void (Async::*)(grpc::ClientContext*, const dispatcher_pb::SubmitPlanRequest*,
                      dispatcher_pb::SubmitPlanResponse*, std::function<void(grpc::Status)>);
  dispatcher_pb::SubmitPlanRequest request;
  *request.mutable_spec() = spec;
  rpc::CallUnaryAsync(*stub_->async(), static_cast<Method>(&Async::SubmitPlan), std::move(request),
                      {.timeout = kSubmitPatience},
                      rpc::ResultCallback<dispatcher_pb::SubmitPlanResponse>(
                          [done = std::move(done)](
                              absl::StatusOr<dispatcher_pb::SubmitPlanResponse> submitted) mutable {
                            std::move(done)(submitted.status());
                          }));
}

absl::Status DispatchWorld::WaitForEnd(const std::string& plan, absl::Duration patience) {
  const absl::Duration end = base::RealClock().Elapsed() + patience;
  // The services know first and answer for nothing: the dispatcher is asked when it can be over.
  while (!services_->IsIntegrated(plan)) {
    if (base::RealClock().Elapsed() > end) {
      return absl::DeadlineExceededError(
          absl::StrCat(plan, ": ", services_->MergedOf(plan), " tasks were merged in time"));
    }
    LetPass(kPollInterval);
  }
  dispatcher_pb::GetRunRequest request;
  request.set_plan(plan);
  while (base::RealClock().Elapsed() <= end) {
    ASSIGN_OR_RETURN(const dispatcher_pb::GetRunResponse response,
                     rpc::CallWithRetry(base::RealClock(), *stub_, &DispatcherStub::GetRun, request,
                                        {.timeout = kStartPatience}));
    if (response.run().state() == dispatcher_pb::Run::STATE_SUCCEEDED) return absl::OkStatus();
    if (response.run().state() == dispatcher_pb::Run::STATE_FAILED) {
      return absl::FailedPreconditionError(absl::StrCat(plan, " failed"));
    }
    LetPass(kPollInterval);
  }
  return absl::DeadlineExceededError(absl::StrCat(plan, " did not end in time"));
}

absl::StatusOr<int> DispatchWorld::AuditBreaches() {
  ASSIGN_OR_RETURN(const dispatcher_pb::AuditResponse audit,
                   rpc::CallUnary(*stub_, &DispatcherStub::Audit, {}, {.timeout = kAuditPatience}));
  int breaches = 0;
  for (const auto& check : audit.checks()) breaches += check.breaches_size();
  return breaches;
}

dispatcher_pb::PlanSpec MakePlan(const PlanShape& shape) {
  dispatcher_pb::PlanSpec spec;
  spec.set_plan(shape.plan);
  spec.set_title("Benchmark");
  spec.set_version(1);
  spec.set_branch("plan/bench");
  spec.set_base_commit("base");
  std::mt19937_64 random(shape.seed);
  const int width = std::max(1, (shape.tasks + shape.depth - 1) / shape.depth);
  for (int i = 0; i < shape.tasks; ++i) {
    dispatcher_pb::TaskSpec& task = *spec.add_tasks();
    task.set_id(absl::StrCat("t", i));
    task.set_title(absl::StrCat("Task ", i));
    task.set_description(std::string(1'024, 'd'));
    task.set_role("builder");
    task.set_intent("code");
    const int layer = i / width;
    if (layer == 0) continue;
    std::set<int> parents;
    const int count = 1 + static_cast<int>(random() % kParentsMax);
    for (int k = 0; k < count; ++k) {
      parents.insert((layer - 1) * width +
                     static_cast<int>(random() % static_cast<uint64_t>(width)));
    }
    for (const int parent : parents) task.add_depends_on(absl::StrCat("t", parent));
  }
  return spec;
}

std::string PlanName(int number) {
  return absl::StrCat("projects/bench/plans/2026-11-21-plan-", number);
}

}  // namespace slipway::bench
