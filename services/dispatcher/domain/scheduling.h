#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/dispatcher/domain/keys.h"

namespace slipway::dispatcher {

// What a project may have, besides what its policy says.
struct ProjectShare {
  int weight = 1;        // Of the slots and dollars that projects compete for.
  int attempts_max = 0;  // At once; 0: no limit.

  friend bool operator==(const ProjectShare&, const ProjectShare&) = default;
};

// Roles whose models are reached with the same credential.
struct CredentialLimit {
  std::string name;
  std::vector<std::string> roles;
  int attempts_max = 0;  // That write, at once.

  friend bool operator==(const CredentialLimit&, const CredentialLimit&) = default;
};

// Who has a turn, and how much may run, as configured.
struct SchedulingSettings {
  std::map<std::string, ProjectShare> projects;  // By name, projects/{p}.
  int plan_attempts_max = 0;                     // Of one plan at once; 0: no limit.
  int lane_changes_max = 0;  // Of one plan, written or reviewed but not merged; 0: no limit.
  std::vector<CredentialLimit> credentials;
  absl::Duration aging_step = absl::Minutes(10);    // Waiting so long is worth one priority.
  absl::Duration overlap_wait = absl::Minutes(10);  // 0: paths are not looked at.
  absl::Duration slot_time_per_usd = absl::Minutes(10);

  friend bool operator==(const SchedulingSettings&, const SchedulingSettings&) = default;
};

// By what grants of a term are to be judged.
struct GrantRules {
  SchedulingSettings scheduling;
  std::map<std::string, int> host_slots;  // By name, hosts/{h}.

  friend bool operator==(const GrantRules&, const GrantRules&) = default;
};

// What a project has used, of attempts that have ended. Stored.
struct ProjectUsage {
  std::string project;
  absl::Duration virtual_time;  // Its charges by its weight: the project with the least is next.
  absl::Duration slot_time;
  int64_t cost_usd_nanos = 0;

  friend bool operator==(const ProjectUsage&, const ProjectUsage&) = default;
};

// Why a task that could be granted is not.
enum class WaitReason {
  kAgent,            // No agent is free.
  kProjectLimit,     // Its project has as many attempts as it may have.
  kPlanLimit,        // Its plan has.
  kCredentialLimit,  // The credential of its role has.
  kMergeLane,        // As many changes of its plan as may are on their way to the branch.
  kPathOverlap,      // A task that is on its way touches the same paths.
};
inline constexpr int kWaitReasons = 6;
absl::string_view Name(WaitReason reason);

struct Wait {
  WaitReason reason = WaitReason::kAgent;
  std::string subject;  // The credential, or the id of the other task.
  int limit = 0;

  friend bool operator==(const Wait&, const Wait&) = default;
};

// Tasks of a plan that wait for the same, but for those that wait for something of their own.
struct QueueNote {
  std::string plan;
  Wait wait;

  friend bool operator==(const QueueNote&, const QueueNote&) = default;
};
struct TaskNote {
  int64_t queue = 0;
  std::optional<Wait> own;
};

// By which an account of why tasks wait follows what happened. Queues are named by number; what is
// absent has ended.
struct WaitChanges {
  std::vector<std::pair<TaskKey, std::optional<TaskNote>>> tasks;
  std::vector<std::pair<int64_t, std::optional<QueueNote>>> queues;
};

}  // namespace slipway::dispatcher
