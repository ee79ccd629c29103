#include "tools/bench/dispatch_scenarios.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "tools/bench/agent_pool.h"
#include "tools/bench/dispatch_world.h"

namespace slipway::bench {
namespace {

constexpr absl::Duration kRunPatience = absl::Minutes(5);
constexpr absl::Duration kGrantPatience = absl::Seconds(60);
constexpr int kFirstPlan = 1'000;

absl::StatusOr<std::unique_ptr<DispatchWorld>> StartWorld(const DispatchSite& site) {
  return DispatchWorld::Start({.program = site.program, .directory = site.directory});
}

absl::StatusOr<std::unique_ptr<AgentPool>> StartAgents(const DispatchWorld& world, int agents,
                                                       absl::Duration work) {
  return AgentPool::Start(
      {.address = world.agent_address(), .token = world.token(), .agents = agents, .work = work});
}

// One round of MeasureThroughput: plans `first`.. of `each` tasks.
absl::Status RunPlans(DispatchWorld& world, int first, int plans, int each) {
  for (int i = 0; i < plans; ++i) {
    RETURN_IF_ERROR(
        world.Submit(MakePlan({.plan = PlanName(first + i), .tasks = each, .depth = 1})));
  }
  for (int i = 0; i < plans; ++i) {
    RETURN_IF_ERROR(world.WaitForEnd(PlanName(first + i), kRunPatience));
  }
  return absl::OkStatus();
}

// When each plan was granted to an agent.
class GrantTimes final {
 public:
  explicit GrantTimes(size_t expected) : expected_(expected) {}

  void Note(const std::string& attempt) {
    const absl::Duration now = base::RealClock().Elapsed();
    base::MutexLock lock(mutex_);
    times_.emplace(attempt.substr(0, attempt.find("/tasks/")), now);
    if (times_.size() == expected_) changed_.NotifyAll();
  }

  absl::StatusOr<std::map<std::string, absl::Duration>> Wait() {
    const absl::Duration end = base::RealClock().Elapsed() + kGrantPatience;
    base::MutexLock lock(mutex_);
    while (times_.size() < expected_) {
      const absl::Duration left = end - base::RealClock().Elapsed();
      if (left <= absl::ZeroDuration()) {
        return absl::DeadlineExceededError(
            absl::StrCat(times_.size(), " of ", expected_, " plans were granted"));
      }
      changed_.WaitFor(mutex_, left);
    }
    return times_;
  }

 private:
  const size_t expected_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::map<std::string, absl::Duration> times_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<ThroughputFigures> MeasureThroughput(const DispatchSite& site,
                                                    const ThroughputOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<DispatchWorld> world, StartWorld(site));
  ASSIGN_OR_RETURN(const std::unique_ptr<AgentPool> agents,
                   StartAgents(*world, options.agents, absl::ZeroDuration()));
  const int each = std::max(1, options.tasks / options.plans);
  RETURN_IF_ERROR(RunPlans(*world, 1, options.plans, std::max(1, each / 10)));  // To warm up.
  ThroughputFigures figures;
  const ProcessUse before = world->Use();
  const ProcessUse own_before = UseOfProcess(getpid());
  for (int round = 0; round < options.rounds; ++round) {
    const absl::Duration begin = base::RealClock().Elapsed();
    RETURN_IF_ERROR(RunPlans(*world, kFirstPlan * (round + 1), options.plans, each));
    const absl::Duration took = base::RealClock().Elapsed() - begin;
    figures.tasks_per_s.push_back(each * options.plans / absl::ToDoubleSeconds(took));
  }
  const ProcessUse use = world->Use();
  const double tasks = static_cast<double>(each) * options.plans * options.rounds;
  figures.cpu_s_per_1000 = 1'000 * (use.cpu_seconds - before.cpu_seconds) / tasks;
  figures.client_cpu_s_per_1000 =
      1'000 * (UseOfProcess(getpid()).cpu_seconds - own_before.cpu_seconds) / tasks;
  figures.written_kb_per_task = (use.written_kb - before.written_kb) / tasks;
  figures.rss_mb = use.rss_mb;
  ASSIGN_OR_RETURN(figures.audit_breaches, world->AuditBreaches());
  return figures;
}

absl::StatusOr<std::vector<float>> MeasureGrants(const DispatchSite& site,
                                                 const GrantOptions& options) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> gap(options.rate);
  std::vector<absl::Duration> due;
  for (absl::Duration at = absl::ZeroDuration(); at < options.length;
       at += absl::Seconds(gap(random))) {
    due.push_back(at);
  }
  GrantTimes granted(due.size());
  std::atomic<int> refused = 0;
  ASSIGN_OR_RETURN(const std::unique_ptr<DispatchWorld> world, StartWorld(site));
  ASSIGN_OR_RETURN(
      const std::unique_ptr<AgentPool> agents,
      AgentPool::Start({.address = world->agent_address(),
                        .token = world->token(),
                        .agents = options.agents,
                        .on_grant = [&](const auto& grant) { granted.Note(grant.attempt()); }}));
  RETURN_IF_ERROR(RunPlans(*world, kFirstPlan * 100, 8, 8));  // To warm up; not in `due`.
  std::vector<dispatcher::v1::PlanSpec> plans;
  for (size_t i = 0; i < due.size(); ++i) {
    plans.push_back(MakePlan({.plan = PlanName(static_cast<int>(i) + 1)}));
  }
  const absl::Duration begin = base::RealClock().Elapsed();
  for (size_t i = 0; i < due.size(); ++i) {
    LetPass(begin + due[i] - base::RealClock().Elapsed());
    world->SubmitAsync(plans[i],
                       [&refused](const absl::Status& status) { refused += !status.ok(); });
  }
  std::vector<float> latencies_us;
  for (int i = 0; i < static_cast<int>(due.size()); ++i) {
    RETURN_IF_ERROR(world->WaitForEnd(PlanName(i + 1), kGrantPatience));
  }
  ASSIGN_OR_RETURN(const auto times, granted.Wait());
  for (size_t i = 0; i < due.size(); ++i) {
    const auto found = times.find(plans[i].plan());
    if (found == times.end()) return absl::InternalError("a plan was never granted");
    latencies_us.push_back(
        static_cast<float>(absl::ToDoubleMicroseconds(found->second - begin - due[i])));
  }
  if (refused > 0) return absl::UnavailableError("the dispatcher refused plans");
  return latencies_us;
}

absl::StatusOr<GraphFigures> MeasureGraph(const DispatchSite& site, const GraphOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<DispatchWorld> world, StartWorld(site));
  ASSIGN_OR_RETURN(const std::unique_ptr<AgentPool> agents,
                   StartAgents(*world, options.slots, options.work));
  RETURN_IF_ERROR(RunPlans(*world, kFirstPlan, 4, options.slots / 4));  // To warm up.
  const dispatcher::v1::PlanSpec plan =
      MakePlan({.plan = PlanName(1), .tasks = options.tasks, .depth = options.depth});
  GraphFigures figures;
  const ProcessUse before = world->Use();
  const absl::Duration begin = base::RealClock().Elapsed();
  RETURN_IF_ERROR(world->Submit(plan));
  figures.submit = base::RealClock().Elapsed() - begin;
  RETURN_IF_ERROR(world->WaitForEnd(plan.plan(), kRunPatience));
  figures.makespan = base::RealClock().Elapsed() - begin;
  figures.ideal = std::max(options.work * options.depth,
                           options.work * options.tasks / static_cast<double>(options.slots));
  const ProcessUse after = world->Use();
  figures.cpu_seconds = after.cpu_seconds - before.cpu_seconds;
  figures.rss_before_mb = before.rss_mb;
  figures.peak_rss_mb = after.peak_rss_mb;
  return figures;
}

absl::StatusOr<IdleFigures> MeasureIdle(const DispatchSite& site, int agents,
                                        absl::Duration length) {
  ASSIGN_OR_RETURN(const std::unique_ptr<DispatchWorld> world, StartWorld(site));
  IdleFigures figures{.rss_without_mb = world->Use().rss_mb};
  ASSIGN_OR_RETURN(const std::unique_ptr<AgentPool> pool,
                   StartAgents(*world, agents, absl::ZeroDuration()));
  LetPass(absl::Seconds(1));  // What their arrival made of work is done.
  const ProcessUse before = world->Use();
  const absl::Duration begin = base::RealClock().Elapsed();
  LetPass(length);
  const ProcessUse after = world->Use();
  figures.rss_mb = after.rss_mb;
  figures.cpu_percent = 100 * (after.cpu_seconds - before.cpu_seconds) /
                        absl::ToDoubleSeconds(base::RealClock().Elapsed() - begin);
  return figures;
}

absl::StatusOr<std::vector<absl::Duration>> MeasureRestarts(const DispatchSite& site, int kills) {
  constexpr int kTasks = 4'000;
  constexpr int kTasksBetween = 200;
  std::atomic<int64_t> grants = 0;
  ASSIGN_OR_RETURN(const std::unique_ptr<DispatchWorld> world, StartWorld(site));
  ASSIGN_OR_RETURN(const std::unique_ptr<AgentPool> agents,
                   AgentPool::Start({.address = world->agent_address(),
                                     .token = world->token(),
                                     .agents = 32,
                                     .work = absl::Milliseconds(20),
                                     .on_grant = [&grants](const auto&) { ++grants; }}));
  RETURN_IF_ERROR(world->Submit(MakePlan({.plan = PlanName(1), .tasks = kTasks, .depth = 1})));
  const auto wait_for = [&grants](int64_t count) -> absl::Status {
    const absl::Duration end = base::RealClock().Elapsed() + kGrantPatience;
    while (grants < count) {
      if (base::RealClock().Elapsed() > end) {
        return absl::DeadlineExceededError("nothing was granted after a restart");
      }
      LetPass(absl::Microseconds(200));
    }
    return absl::OkStatus();
  };
  std::vector<absl::Duration> times;
  for (int i = 0; i < kills; ++i) {
    RETURN_IF_ERROR(wait_for(grants + kTasksBetween));
    ASSIGN_OR_RETURN(const absl::Duration begin, world->KillAndStart());
    RETURN_IF_ERROR(wait_for(grants + 1));
    times.push_back(base::RealClock().Elapsed() - begin);
  }
  return times;
}

}  // namespace slipway::bench
