#include "services/dispatcher/fleet/cluster_object.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/utf8.h"
#include "nlohmann/json.hpp"
#include "services/dispatcher/fleet/container_spec.h"

namespace slipway::dispatcher {
namespace {

using nlohmann::json;
using Phase = ClusterObject::Phase;

constexpr size_t kClusterTextMax = 500;

// Objects come from outside: every level may be missing or of another type.
const json& In(const json& object, const char* key) {
  static const json& nothing = *new json;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

std::string Text(const json& object, const char* key) {
  const json& value = In(object, key);
  return value.is_string() ? base::ToUtf8(value.get_ref<const std::string&>(), kClusterTextMax)
                           : std::string();
}

int Number(const json& object, const char* key) {
  const json& value = In(object, key);
  return value.is_number_integer() ? value.get<int>() : 0;
}

ClusterObject ReadMetadata(const json& object) {
  const json& metadata = In(object, "metadata");
  return {.name = Text(metadata, "name"),
          .uid = Text(metadata, "uid"),
          .agent = Text(In(metadata, "labels"), kAgentLabel),
          .deleting = In(metadata, "deletionTimestamp").is_string()};
}

// The condition of that type which holds; null when there is none.
const json& Condition(const json& status, const char* type) {
  for (const json& condition : In(status, "conditions")) {
    if (Text(condition, "type") == type && Text(condition, "status") == "True") return condition;
  }
  return In(status, "");
}

void SetReason(ClusterObject& object, const char* reason, std::string message,
               bool hopeless = false) {
  object.reason = reason;
  object.message = std::move(message);
  object.hopeless = hopeless;
}

// Why its container waits, by the kubelet's reasons.
void ReadWaiting(const json& waiting, ClusterObject& pod) {
  struct Known {
    const char* cause;
    const char* reason;
    bool hopeless;
  };
  // A first failure to pull is tried again within seconds: only the back-off after it is final. A
  // missing configuration may be on its way.
  static constexpr Known kKnown[] = {
      {"ErrImagePull", "IMAGE_PULL_FAILED", false},
      {"ImagePullBackOff", "IMAGE_PULL_FAILED", true},
      {"ErrImageNeverPull", "IMAGE_PULL_FAILED", true},
      {"InvalidImageName", "IMAGE_INVALID", true},
      {"ImageInspectError", "IMAGE_INVALID", true},
      {"CreateContainerConfigError", "POD_CONFIG_INVALID", false},
      {"CreateContainerError", "CONTAINER_NOT_STARTED", true},
      {"RunContainerError", "CONTAINER_NOT_STARTED", true},
      {"CrashLoopBackOff", "CONTAINER_NOT_STARTED", true},
  };
  const std::string cause = Text(waiting, "reason");
  for (const Known& known : kKnown) {
    if (cause != known.cause) continue;
    const std::string words = Text(waiting, "message");
    SetReason(pod, known.reason, words.empty() ? cause : words, known.hopeless);
  }
}

void ReadPending(const json& status, ClusterObject& pod) {
  for (const json& condition : In(status, "conditions")) {
    if (Text(condition, "type") == "PodScheduled" && Text(condition, "status") == "False" &&
        Text(condition, "reason") == "Unschedulable") {
      SetReason(pod, "POD_UNSCHEDULABLE", Text(condition, "message"));
    }
  }
  for (const json& container : In(status, "containerStatuses")) {
    ReadWaiting(In(In(container, "state"), "waiting"), pod);
  }
}

void ReadFailed(const json& status, ClusterObject& pod) {
  const std::string reason = Text(status, "reason");
  const json& disruption = Condition(status, "DisruptionTarget");
  const std::string disrupted = Text(disruption, "reason");
  const std::string message =
      Text(status, "message").empty() ? Text(disruption, "message") : Text(status, "message");
  if (pod.reason == "OUT_OF_MEMORY") return;
  if (disrupted == "PreemptionByScheduler" || reason == "Preempting") {
    return SetReason(pod, "POD_PREEMPTED", message);
  }
  if (disrupted == "DeletionByTaintManager" || reason == "NodeLost" || reason == "Shutdown" ||
      reason == "NodeShutdown" || reason == "Terminated" || disrupted == "DeletionByPodGC") {
    return SetReason(pod, "NODE_LOST", message);
  }
  if (reason == "Evicted" || disrupted == "EvictionByEvictionAPI" ||
      disrupted == "TerminationByKubelet") {
    return SetReason(pod, "POD_EVICTED", message);
  }
  if (reason == "DeadlineExceeded") return SetReason(pod, "DEADLINE_EXCEEDED", message);
  if (pod.reason.empty()) SetReason(pod, "AGENT_FAILED", message);
}

// What an agent printed last, which the cluster has kept.
std::string LastWords(const json& ended) {
  const json& message = In(ended, "message");
  if (!message.is_string()) return "";
  const absl::string_view text = absl::StripAsciiWhitespace(message.get_ref<const std::string&>());
  const size_t line = text.rfind('\n');
  const absl::string_view last = line == absl::string_view::npos ? text : text.substr(line + 1);
  return last.empty() ? "" : absl::StrCat(": ", base::ToUtf8(last, kClusterTextMax));
}

void ReadEnd(const json& status, ClusterObject& pod) {
  for (const json& container : In(status, "containerStatuses")) {
    const json& ended = In(In(container, "state"), "terminated");
    if (!ended.is_object()) continue;
    pod.exit_code = Number(ended, "exitCode");
    if (Text(ended, "reason") == "OOMKilled") {
      SetReason(pod, "OUT_OF_MEMORY", "raise limits.memory_bytes");
    } else if (Text(ended, "reason") == "StartError" ||
               Text(ended, "reason") == "ContainerCannotRun") {
      SetReason(pod, "CONTAINER_NOT_STARTED", Text(ended, "message"));
    } else if (pod.exit_code != 0) {
      SetReason(pod, "AGENT_FAILED",
                absl::StrCat(pod.exit_code > 128 ? "ended by signal " : "exited with status ",
                             pod.exit_code > 128 ? pod.exit_code - 128 : pod.exit_code,
                             LastWords(ended)));
    }
  }
}

}  // namespace

ClusterObject ReadPod(const json& object) {
  ClusterObject pod = ReadMetadata(object);
  const json& status = In(object, "status");
  const std::string phase = Text(status, "phase");
  if (phase == "Running") {
    pod.phase = Phase::kRunning;
  } else if (phase == "Succeeded") {
    pod.phase = Phase::kSucceeded;
  } else if (phase == "Failed") {
    pod.phase = Phase::kFailed;
    ReadEnd(status, pod);
    ReadFailed(status, pod);
  } else {
    ReadPending(status, pod);
  }
  return pod;
}

ClusterObject ReadJob(const json& object) {
  ClusterObject job = ReadMetadata(object);
  const json& status = In(object, "status");
  job.phase = Phase::kRunning;
  if (const json& failed = Condition(status, "Failed"); failed.is_object()) {
    job.phase = Phase::kFailed;
    const bool late = Text(failed, "reason") == "DeadlineExceeded";
    SetReason(job, late ? "DEADLINE_EXCEEDED" : "AGENT_FAILED", Text(failed, "message"));
  } else if (Condition(status, "Complete").is_object()) {
    job.phase = Phase::kSucceeded;
  }
  return job;
}

std::string PodRefusalReason(const std::string& message) {
  if (absl::StrContains(message, "exceeded quota")) return "QUOTA_EXCEEDED";
  if (absl::StrContains(message, "violates PodSecurity") ||
      absl::StrContains(message, "forbidden")) {
    return "POD_FORBIDDEN";
  }
  return "POD_REFUSED";
}

}  // namespace slipway::dispatcher
