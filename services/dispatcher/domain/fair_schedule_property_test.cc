// What must hold of turns whatever is asked for, over random histories; every seed is one history.
#include <algorithm>
#include <random>

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "services/dispatcher/domain/fair_schedule.h"

namespace slipway::dispatcher {
namespace {

using absl::StrCat;

const absl::Time kEpoch = absl::FromUnixSeconds(1'800'000'000);

// A dispatcher without anything but agents and time: it grants what the schedule says, and counts
// by itself what is running.
class Shop {
 public:
  struct Running {
    WaitingTask task;
    absl::Duration start;
    absl::Duration end;
    absl::Duration merged;
  };

  Shop(SchedulingSettings settings, int agents, uint32_t seed)
      : settings_(std::move(settings)), free_(agents), random_(seed) {}

  void Offer(WaitingTask task) {
    waiting_[task.key] = task;
    schedule_.Offer(std::move(task));
  }

  int Below(int most) { return static_cast<int>(random_() % static_cast<uint32_t>(most)); }

  void GrantAll(const std::function<absl::Duration(const WaitingTask&)>& time_of) {
    while (free_ > 0) {
      const std::optional<TaskKey> next = schedule_.Next(now_);
      if (!next.has_value()) return;
      const WaitingTask task = waiting_.at(*next);
      if (on_grant_) on_grant_(task);
      waiting_.erase(*next);
      const absl::Duration end = now_ + time_of(task);
      running_[*next] = {
          .task = task, .start = now_, .end = end, .merged = end + absl::Seconds(Below(30))};
      --free_;
      ++granted_;
      order_.push_back(next->Name());
      schedule_.BeginChange(*next, task.footprint);
      schedule_.Begin({.attempt = {.task = *next, .epoch = granted_},
                       .role = task.role,
                       .host = "hosts/h",
                       .start = now_});
      schedule_.Withdraw(*next);
    }
  }

  void Advance(absl::Duration by) {
    now_ += by;
    for (auto at = running_.begin(); at != running_.end();) {
      Running& running = at->second;
      if (running.end <= now_) {
        schedule_.End(at->first, running.end);
        slot_time_[ProjectOf(at->first.plan)] += running.end - running.start;
        ++free_;
        running.end = absl::InfiniteDuration();
      }
      if (running.merged <= now_) {
        schedule_.EndChange(at->first);
        at = running_.erase(at);
      } else {
        ++at;
      }
    }
    schedule_.Accrue(now_);
  }

  absl::Time wall() const { return kEpoch + now_; }

  // How many have an agent, or are not merged yet, of those that `counts` says.
  int Count(bool with_agent, const std::function<bool(const WaitingTask&)>& counts) const {
    return static_cast<int>(std::count_if(running_.begin(), running_.end(), [&](const auto& entry) {
      const bool has_agent = entry.second.end != absl::InfiniteDuration();
      return (has_agent || !with_agent) && counts(entry.second.task);
    }));
  }

  SchedulingSettings settings_;
  FairSchedule schedule_{settings_};
  int free_;
  std::mt19937 random_;
  absl::Duration now_;
  int64_t granted_ = 0;
  std::map<TaskKey, WaitingTask> waiting_;
  std::map<TaskKey, Running> running_;
  std::map<std::string, absl::Duration> slot_time_;
  std::vector<std::string> order_;
  std::function<void(const WaitingTask&)> on_grant_;
};

WaitingTask AnyTask(Shop& shop, int number) {
  WaitingTask task{.key = {.plan = StrCat("projects/p", shop.Below(3), "/plans/n", shop.Below(2)),
                           .id = StrCat("t", number)},
                   .priority = shop.Below(10),
                   .ready_time = shop.wall(),
                   .remaining_path = absl::Minutes(shop.Below(5)),
                   .role = StrCat("r", shop.Below(3))};
  for (int i = shop.Below(3); i > 0; --i) task.footprint.push_back(StrCat("d", shop.Below(4), "/"));
  return task;
}

SchedulingSettings ManyLimits() {
  return {.projects = {{"projects/p0", {.weight = 2, .attempts_max = 4}}},
          .plan_attempts_max = 3,
          .lane_changes_max = 5,
          .credentials = {{.name = "key", .roles = {"r0", "r1"}, .attempts_max = 4}},
          .aging_step = absl::Minutes(1),
          .overlap_wait = absl::Minutes(2)};
}

class FairScheduleHistory : public ::testing::TestWithParam<uint32_t> {};

TEST_P(FairScheduleHistory, NoLimitIsEverExceededAndEverythingHasItsTurn) {
  Shop shop(ManyLimits(), 9, GetParam());
  int offered = 0;
  int cancelled = 0;
  const auto is_of = [](auto member, std::string value) {
    return [=](const WaitingTask& task) { return member(task) == value; };
  };
  const auto plan_of = [](const WaitingTask& task) { return task.key.plan; };
  const auto uses_key = [](const WaitingTask& task) { return task.role != "r2"; };
  shop.on_grant_ = [&](const WaitingTask& task) {
    const auto in_project = [&](const WaitingTask& other) {
      return ProjectOf(other.key.plan) == ProjectOf(task.key.plan);
    };
    if (ProjectOf(task.key.plan) == "projects/p0") {
      ASSERT_LT(shop.Count(true, in_project), 4);
    }
    ASSERT_LT(shop.Count(true, is_of(plan_of, task.key.plan)), 3);
    ASSERT_LT(shop.Count(false, is_of(plan_of, task.key.plan)), 5);
    if (uses_key(task)) {
      ASSERT_LT(shop.Count(true, uses_key), 4);
    }
  };
  for (int step = 0; step < 1'500 && !HasFatalFailure(); ++step) {
    if (step < 400 && shop.Below(2) == 0) shop.Offer(AnyTask(shop, offered++));
    if (shop.Below(10) == 0) shop.schedule_.CountTurns(shop.Below(6), shop.now_);
    if (shop.Below(20) == 0 && !shop.waiting_.empty()) {  // Cancelled.
      const TaskKey key = shop.waiting_.begin()->first;
      shop.waiting_.erase(key);
      shop.schedule_.Withdraw(key);
      ++cancelled;
    }
    shop.GrantAll([&](const WaitingTask&) { return absl::Seconds(1 + shop.Below(120)); });
    const int free_before = shop.free_;
    // Work conserving: what is left could not run, whatever the schedule thinks.
    if (free_before > 0) {
      for (const auto& [key, task] : shop.waiting_) {
        const auto in_plan = is_of(plan_of, task.key.plan);
        const bool project_full =
            ProjectOf(key.plan) == "projects/p0" && shop.Count(true, [](const WaitingTask& other) {
              return ProjectOf(other.key.plan) == "projects/p0";
            }) >= 4;
        const bool full = project_full || shop.Count(true, in_plan) >= 3 ||
                          shop.Count(false, in_plan) >= 5 ||
                          (uses_key(task) && shop.Count(true, uses_key) >= 4);
        ASSERT_TRUE(full) << key.Name() << " could run at step " << step;
      }
    }
    shop.Advance(absl::Seconds(shop.Below(10)));
  }
  EXPECT_EQ(shop.granted_, offered - cancelled);
  EXPECT_TRUE(shop.waiting_.empty());
}

TEST_P(FairScheduleHistory, IsTheSameForTheSameSeed) {
  const auto run = [] {
    Shop shop(ManyLimits(), 5, GetParam());
    for (int step = 0; step < 300; ++step) {
      shop.Offer(AnyTask(shop, step));
      shop.GrantAll([&](const WaitingTask&) { return absl::Seconds(1 + shop.Below(60)); });
      shop.Advance(absl::Seconds(5));
    }
    return shop.order_;
  };
  EXPECT_EQ(run(), run());
}

// Projects that always have work use slots in the ratio of their weights, whatever their tasks take
// and whatever priorities they ask for.
TEST_P(FairScheduleHistory, SharesConvergeToTheWeights) {
  SchedulingSettings settings;
  settings.projects = {
      {"projects/a", {.weight = 1}}, {"projects/b", {.weight = 2}}, {"projects/c", {.weight = 5}}};
  Shop shop(settings, 16, GetParam());
  int number = 0;
  std::map<std::string, int> waiting;
  shop.on_grant_ = [&](const WaitingTask& task) { --waiting[ProjectOf(task.key.plan)]; };
  const auto refill = [&] {
    for (const auto& [project, share] : settings.projects) {
      for (; waiting[project] < 20; ++waiting[project]) {
        shop.Offer({.key = {.plan = project + "/plans/n", .id = StrCat("t", number++)},
                    .priority = project == "projects/a" ? 9 : 0,
                    .ready_time = shop.wall()});
      }
    }
  };
  const auto time_of = [&](const WaitingTask& task) {
    // Tasks of a take ten times what tasks of c take.
    const int scale = task.key.plan == "projects/a/plans/n" ? 300 : 30;
    return absl::Seconds(1 + shop.Below(scale));
  };
  while (shop.now_ < absl::Hours(3)) {
    refill();
    shop.GrantAll(time_of);
    shop.Advance(absl::Seconds(1));
  }
  absl::Duration total;
  for (const auto& [project, time] : shop.slot_time_) total += time;
  for (const auto& [project, share] : settings.projects) {
    const double part = absl::FDivDuration(shop.slot_time_.at(project), total);
    EXPECT_NEAR(part, share.weight / 8.0, 0.02) << project;
  }
}

// One agent, and a stream of urgent tasks that alone would keep it busy for ever.
TEST_P(FairScheduleHistory, NothingStarvesBehindUrgentTasks) {
  SchedulingSettings settings{.aging_step = absl::Minutes(1)};
  Shop shop(settings, 1, GetParam());
  absl::Duration granted = absl::InfiniteDuration();
  shop.on_grant_ = [&](const WaitingTask& task) {
    if (task.key.id == "patient") granted = shop.now_;
  };
  shop.Offer({.key = {.plan = "projects/p/plans/n", .id = "patient"}, .ready_time = shop.wall()});
  for (int number = 0; shop.now_ < absl::Hours(1); ++number) {
    shop.Offer({.key = {.plan = "projects/p/plans/n", .id = StrCat("urgent", number)},
                .priority = 9,
                .ready_time = shop.wall(),
                .remaining_path = absl::Hours(9)});
    shop.GrantAll([](const WaitingTask&) { return absl::Seconds(10); });
    shop.Advance(absl::Seconds(10));
  }
  EXPECT_LE(granted, 11 * settings.aging_step) << "9 priorities, and the step that has begun";
  EXPECT_GE(granted, 8 * settings.aging_step) << "the urgent ones did come first";
}

// A project with one short task now and then is served at once beside one that floods.
TEST_P(FairScheduleHistory, AFloodOfOneProjectDelaysAnotherByOneTurn) {
  Shop shop({}, 4, GetParam());
  for (int i = 0; i < 2'000; ++i) {
    shop.Offer({.key = {.plan = "projects/flood/plans/n", .id = StrCat("t", i)},
                .priority = 9,
                .ready_time = shop.wall()});
  }
  absl::Duration longest;
  absl::Duration offered;
  shop.on_grant_ = [&](const WaitingTask& task) {
    if (task.key.plan == "projects/quiet/plans/n") longest = std::max(longest, shop.now_ - offered);
  };
  for (int i = 0; i < 100; ++i) {
    offered = shop.now_;
    shop.Offer({.key = {.plan = "projects/quiet/plans/n", .id = StrCat("q", i)},
                .ready_time = shop.wall()});
    for (int second = 0; second < 60; ++second) {
      shop.GrantAll([&](const WaitingTask&) { return absl::Seconds(1 + shop.Below(20)); });
      shop.Advance(absl::Seconds(1));
    }
  }
  EXPECT_LE(longest, absl::Seconds(20)) << "as long as the agents that worked took";
}

INSTANTIATE_TEST_SUITE_P(Seeds, FairScheduleHistory, ::testing::Range(1u, 9u));

struct Load {
  const char* name;
  SchedulingSettings settings;
  std::vector<std::string> (*footprint)(int number);
};

class FairScheduleCost : public ::testing::TestWithParam<Load> {};

// Steps are a constant number for each task, however many wait: held back by a limit, overlapping
// with each other in every way, or simply too many.
TEST_P(FairScheduleCost, GrowsWithTheNumberOfTasksAndNotFaster) {
  const auto steps = [](int tasks) {
    Shop shop(GetParam().settings, 64, 1);
    shop.schedule_.AddRun("projects/p0/plans/n", kEpoch, 0);
    for (int i = 0; i < tasks; ++i) {
      shop.Offer(
          {.key = {.plan = StrCat("projects/p", i % 5 == 0, "/plans/n"), .id = StrCat("t", i)},
           .priority = i % 10,
           .ready_time = kEpoch,
           .remaining_path = absl::Minutes(i % 7),
           .role = StrCat("r", i % 3),
           .footprint = GetParam().footprint(i)});
    }
    while (shop.granted_ < tasks || !shop.running_.empty()) {
      shop.GrantAll([&](const WaitingTask&) { return absl::Seconds(1 + shop.Below(60)); });
      shop.Advance(absl::Seconds(1));
      shop.schedule_.TakeWaitChanges();
    }
    shop.schedule_.RemoveRun("projects/p0/plans/n");
    EXPECT_EQ(shop.schedule_.size(), 0u) << "what has ended is forgotten";
    return static_cast<double>(shop.schedule_.operations()) / tasks;
  };
  const double few = steps(3'000);
  const double many = steps(10'000);
  EXPECT_LE(many, 2 * FairSchedule::kYieldsMax);
  EXPECT_LE(many, few * 1.2);
}

INSTANTIATE_TEST_SUITE_P(
    , FairScheduleCost,
    ::testing::Values(
        Load{"WithoutLimits", {}, [](int) { return std::vector<std::string>(); }},
        Load{"WithEveryLimit", ManyLimits(), [](int) { return std::vector<std::string>(); }},
        Load{"WithOnePathForAll", {}, [](int) { return std::vector<std::string>{"src/"}; }},
        Load{"WithAPathOfItsOwnAndOneForAll",
             {},
             [](int i) {
               return std::vector<std::string>{StrCat("src/f", i), "README.md"};
             }},
        Load{"WithDirectoriesAndFilesInThem",
             {},
             [](int i) {
               return std::vector<std::string>{i % 2 == 0 ? "src/" : StrCat("src/f", i % 50)};
             }}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace slipway::dispatcher
