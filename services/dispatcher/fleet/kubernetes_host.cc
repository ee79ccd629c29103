#include "services/dispatcher/fleet/kubernetes_host.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "nlohmann/json.hpp"
#include "services/dispatcher/fleet/container_spec.h"

namespace slipway::dispatcher {
namespace {

// What an agent that is not needed gets to end by itself; its pod then has its own grace, and what
// still does not end is on a node that does not answer.
constexpr absl::Duration kRetirePodGrace = absl::Seconds(5);
constexpr absl::Duration kPodEndTimeout = absl::Seconds(60);

// How long nothing but the watch is looked at.
constexpr absl::Duration kStepInterval = absl::Seconds(1);
constexpr absl::Duration kRestInterval = absl::Seconds(30);
constexpr absl::Duration kPolicyInterval = absl::Minutes(5);

// A pod that no node has room for may wait so long for one to be added; what is misconfigured, for
// its secret.
constexpr absl::Duration kPendingPatience = absl::Minutes(2);
constexpr absl::Duration kConfigPatience = absl::Seconds(15);

// Without a pod after so long, the cluster has refused one and says why in events.
constexpr absl::Duration kNoPodPatience = absl::Seconds(2);
constexpr absl::Duration kEventsInterval = absl::Seconds(5);

constexpr int kJobTriesMax = 3;
constexpr char kJobPrefix[] = "slipway-";
constexpr char kBatch[] = "/apis/batch/v1";
constexpr char kCore[] = "/api/v1";
constexpr char kNetworking[] = "/apis/networking.k8s.io/v1";

metrics::Counter job_starts({.name = "slipway_dispatcher_job_starts_total",
                             .description = "Agents' jobs, by what became of their start.",
                             .labels = {"host", "outcome"}});
metrics::Counter pod_failures({.name = "slipway_dispatcher_pod_failures_total",
                               .description = "Agents that a cluster did not run or ended.",
                               .labels = {"host", "reason"}});
metrics::Counter jobs_swept({.name = "slipway_dispatcher_jobs_swept_total",
                             .description = "Jobs and pods removed that no agent was known for.",
                             .labels = {"host"}});
metrics::Gauge cluster_reached({.name = "slipway_dispatcher_cluster_reached",
                                .description = "1 while a host's cluster answers.",
                                .labels = {"host"}});

std::string JobName(const std::string& agent) { return absl::StrCat(kJobPrefix, agent); }

bool MayBeDone(const absl::Status& status) {
  return absl::IsUnknown(status) || absl::IsUnavailable(status) || absl::IsInternal(status);
}

std::string ProblemText(const std::string& reason, const std::string& message) {
  if (reason.empty()) return message;
  return message.empty() ? reason : absl::StrCat(reason, ": ", message);
}

KubernetesWatch::Options WatchOptions(const KubernetesHost::Options& options, const char* path,
                                      KubernetesWatch::Read read, std::function<void()> wake) {
  return {.path = absl::StrCat(path, "/namespaces/", options.cluster_namespace, "/",
                               path == kBatch ? "jobs" : "pods"),
          .selector = absl::StrCat(kOwnerLabel, "=", options.owner, ",", kHostLabel, "=",
                                   HostLabelOf(options.name)),
          .read = read,
          .wake = std::move(wake)};
}

}  // namespace

KubernetesHost::KubernetesHost(Options options, http::Client& client, AgentTokens& tokens,
                               base::Clock& clock)
    : options_(std::move(options)),
      api_(client, options_.api),
      tokens_(tokens),
      clock_(clock),
      jobs_(client, api_, WatchOptions(options_, kBatch, ReadJob, [this] { inbox_.Wake(); })),
      pods_(client, api_, WatchOptions(options_, kCore, ReadPod, [this] { inbox_.Wake(); })) {}

void KubernetesHost::Begin(const std::vector<StartIntent>& intents, Reports reports) {
  reports_ = std::move(reports);
  for (const StartIntent& intent : intents) {
    tokens_.AddDigest(intent.token_digest, {.host = options_.name, .agent = intent.agent});
    // Without its token it cannot be made again: it is there, or it is gone.
    children_[intent.agent].made = true;
  }
  if (!intents.empty()) {
    log::Info("adopted agents", {{"host", options_.name}, {"agents", intents.size()}});
  }
  thread_ = std::thread([this] { Loop(); });
}

void KubernetesHost::Stop() {
  inbox_.Stop();
  if (thread_.joinable()) thread_.join();
}

void KubernetesHost::Start(AgentFleet::Order order) { inbox_.Start(std::move(order)); }

void KubernetesHost::Retire(const std::string& agent) { inbox_.Retire(agent); }

absl::Duration KubernetesHost::Pause() const {
  const bool rests = children_.empty() && reach_.empty();
  absl::Duration pause = rests ? kRestInterval : kStepInterval;
  const absl::Duration now = clock_.Elapsed();
  for (const absl::Duration due : {jobs_.due(), pods_.due()}) {
    if (due > now) pause = std::min(pause, due - now);
  }
  return pause;
}

void KubernetesHost::Loop() {
  do {
    Look();
    Reap();
  } while (inbox_.Wait(Pause()));
  Obey();
  for (const auto& [agent, child] : children_) {
    if (child.retired && !child.deleted) DeleteJob(agent).IgnoreError();
  }
}

void KubernetesHost::Obey() {
  for (AgentFleet::Order& order : inbox_.Take()) {
    if (!order.host.empty()) {
      tokens_.Add(order.token, {.host = options_.name, .agent = order.agent});
      Child& child = children_[order.agent];
      child.token = std::move(order.token);
      child.has_secret = false;
      continue;
    }
    const auto found = children_.find(order.agent);
    if (found == children_.end()) continue;
    found->second.retired = true;
    found->second.terminate_at = clock_.Elapsed() + kRetirePodGrace;
    found->second.give_up_at = found->second.terminate_at + kPodEndTimeout;
  }
}

absl::Status KubernetesHost::RefreshMirrors() {
  const absl::Duration now = clock_.Elapsed();
  RETURN_IF_ERROR(jobs_.Refresh(now));
  RETURN_IF_ERROR(pods_.Refresh(now));
  if (policy_at_ > now) return absl::OkStatus();
  RETURN_IF_ERROR(EnsurePolicy());
  policy_at_ = now + kPolicyInterval;
  return absl::OkStatus();
}

// The policy of this host says what it has to: nothing runs here before.
absl::Status KubernetesHost::EnsurePolicy() {
  PolicyOptions policy{.owner = options_.owner, .host = options_.name, .peers = options_.peers};
  const std::string path = PathOf(kNetworking, "networkpolicies", PolicyName(policy));
  absl::StatusOr<std::string> shown = api_.Call("GET", path);
  if (absl::IsNotFound(shown.status())) {
    const absl::Status made =
        api_.Call("POST", PathOf(kNetworking, "networkpolicies"), PolicySpec(policy)).status();
    return absl::IsAlreadyExists(made) ? absl::OkStatus() : made;  // Looked at again later.
  }
  if (!shown.ok()) return base::Annotate(shown.status(), "the network policy");
  if (IsPolicyOf(policy, *shown, policy.resource_version)) return absl::OkStatus();
  log::Warning("the network policy of a host was not as it has to be, it is replaced",
               {{"host", options_.name}, {"policy", PolicyName(policy)}});
  return api_.Call("PUT", path, PolicySpec(policy)).status();
}

void KubernetesHost::Look() {
  const absl::Status refreshed = RefreshMirrors();
  Obey();  // After a list: what was asked for since is not missing in it.
  HoldBack(refreshed);
  SetReach(refreshed.ok()
               ? ""
               : ProblemText(base::ReasonOf(refreshed), std::string(refreshed.message())));
  if (!refreshed.ok()) {
    // What was perhaps not made need not wait for the cluster: others can do its work.
    for (auto& [agent, child] : children_) {
      if (!child.made) Fail(child, absl::StrCat("CLUSTER_AWAY: ", refreshed.message()));
    }
    return;
  }
  for (const std::string& agent : jobs_.TakeDeleted()) {
    if (const auto found = children_.find(agent); found != children_.end()) {
      found->second.seen = true;
    }
  }
  pods_.TakeDeleted();
  for (auto& [agent, child] : children_) {
    if (!child.failed) Step(agent, child);
  }
  if (quiet_until_ <= clock_.Elapsed()) RemoveStrangers();
}

void KubernetesHost::Step(const std::string& agent, Child& child) {
  const auto job = jobs_.objects().find(JobName(agent));
  const ClusterObject* const pod = FindPod(agent);
  if (job != jobs_.objects().end()) {
    child.made = child.seen = true;
    child.job_uid = job->second.uid;
    return Watch(agent, child, job->second, pod);
  }
  if (!child.made) {
    if (child.retired) return Fail(child, "it was not needed any more");
    if (quiet_until_ <= clock_.Elapsed()) Make(agent, child);
    return;
  }
  // What is not in the mirror may be too new for it, unless it was there or should be.
  if (!child.seen && jobs_.lists() <= child.lists) return;
  if (pod == nullptr || child.give_up_at <= clock_.Elapsed()) {
    Fail(child, child.retired ? "it was not needed any more" : "JOB_GONE: its job was removed");
  }
}

void KubernetesHost::Make(const std::string& agent, Child& child) {
  JobOptions job = options_.job;
  job.owner = options_.owner;
  job.host = options_.name;
  job.agent = agent;
  const absl::StatusOr<std::string> made = api_.Call("POST", PathOf(kBatch, "jobs"), JobSpec(job));
  // The name is this agent's alone: an earlier call has made it.
  if (!made.ok() && !absl::IsAlreadyExists(made.status())) {
    return NoteRefusal(child, made.status(), "no job could be made");
  }
  child.made = true;
  child.tries = 0;
  child.lists = jobs_.lists();
  child.pending_since = clock_.Elapsed();
  child.ask_events_at = clock_.Elapsed() + kNoPodPatience;
  job_starts.Increment({options_.name, "made"});
  if (!made.ok()) return;  // Its uid comes with the mirror.
  const nlohmann::json answer = nlohmann::json::parse(*made, nullptr, /*allow_exceptions=*/false);
  child.job_uid = ReadJob(answer).uid;
  MakeSecret(agent, child);
}

// Its pod waits for it. Lost with this dispatcher, it never comes, and the pod is given up.
void KubernetesHost::MakeSecret(const std::string& agent, Child& child) {
  if (child.has_secret || child.job_uid.empty()) return;
  const absl::Status status = api_.Call("POST", PathOf(kCore, "secrets"),
                                        SecretSpec({.agent = agent,
                                                    .owner = options_.owner,
                                                    .host = options_.name,
                                                    .job_uid = child.job_uid,
                                                    .token = child.token,
                                                    .config = options_.agent_config}))
                                  .status();
  if (status.ok() || absl::IsAlreadyExists(status)) {
    child.has_secret = true;
    child.token.clear();
    return;
  }
  NoteRefusal(child, status, "its secret could not be made");
}

// A call that is to be tried again is: by the next step.
void KubernetesHost::NoteRefusal(Child& child, const absl::Status& status, const char* what) {
  HoldBack(status);
  if (absl::IsResourceExhausted(status)) return;
  if (MayBeDone(status) && ++child.tries < kJobTriesMax) return;
  const std::string message(status.message());
  const std::string reason = absl::IsPermissionDenied(status)  ? PodRefusalReason(message)
                             : absl::IsInvalidArgument(status) ? "JOB_INVALID"
                             : MayBeDone(status)               ? "CLUSTER_AWAY"
                                                               : base::ReasonOf(status);
  job_starts.Increment({options_.name, "failed"});
  Fail(child, absl::StrCat(reason, ": ", what, ": ", message));
}

void KubernetesHost::HoldBack(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return;
  const auto detail = base::DetailOf(status);
  if (!detail.has_value() || !detail->retry_after.has_value()) return;
  quiet_until_ = std::max(quiet_until_, clock_.Elapsed() + *detail->retry_after);
}

void KubernetesHost::Watch(const std::string& agent, Child& child, const ClusterObject& job,
                           const ClusterObject* pod) {
  using Phase = ClusterObject::Phase;
  const absl::Duration now = clock_.Elapsed();
  if (child.pending_since == absl::InfiniteDuration()) child.pending_since = now;
  if (child.ask_events_at == absl::InfiniteDuration()) child.ask_events_at = now + kNoPodPatience;
  if (pod != nullptr && pod->phase == Phase::kFailed) {
    return Fail(child, ProblemText(pod->reason, pod->message));
  }
  if (pod != nullptr && pod->phase == Phase::kSucceeded) {
    return Fail(child, "exited with status 0");
  }
  if (job.phase == Phase::kFailed) {
    // Of its pod, whose end says more, the mirror may not know yet.
    if (job.reason == "DEADLINE_EXCEEDED" || pod == nullptr) {
      return Fail(child, ProblemText(job.reason, job.message));
    }
    child.give_up_at = std::min(child.give_up_at, now + kPodEndTimeout);
  }
  if (child.give_up_at <= now) {
    return Fail(child, "NODE_LOST: its pod did not end, its node may be gone");
  }
  if (job.deleting || child.deleted) return;
  if (child.terminate_at <= now && quiet_until_ <= now) {
    const absl::Status deleted = DeleteJob(agent);
    HoldBack(deleted);
    child.deleted = deleted.ok();
    return;
  }
  if (!child.has_secret && quiet_until_ <= now) MakeSecret(agent, child);
  if (!child.failed && (pod == nullptr || pod->phase == Phase::kPending)) {
    CheckPending(agent, child, pod);
  }
}

void KubernetesHost::CheckPending(const std::string& agent, Child& child,
                                  const ClusterObject* pod) {
  const absl::Duration now = clock_.Elapsed();
  if (pod == nullptr) {
    if (child.ask_events_at <= now && quiet_until_ <= now) AskWhyNoPod(agent, child);
    return;
  }
  if (pod->reason.empty()) return;
  const absl::Duration patience =
      pod->reason == "POD_CONFIG_INVALID" ? kConfigPatience : kPendingPatience;
  if (pod->hopeless || now - child.pending_since >= patience) {
    Fail(child, ProblemText(pod->reason, pod->message));
  }
}

// A job says nothing of pods that it may not make: events do.
void KubernetesHost::AskWhyNoPod(const std::string& agent, Child& child) {
  child.ask_events_at = clock_.Elapsed() + kEventsInterval;
  const std::string selector = absl::StrCat(
      "involvedObject.kind=Job,involvedObject.name=", JobName(agent), ",reason=FailedCreate");
  const absl::StatusOr<std::string> answer = api_.Call(
      "GET",
      absl::StrCat(PathOf(kCore, "events"), "?limit=50&fieldSelector=", EscapedForQuery(selector)));
  HoldBack(answer.status());
  if (!answer.ok()) return;
  const nlohmann::json events = nlohmann::json::parse(*answer, nullptr, false);
  if (!events.is_object() || !events.contains("items") || !events["items"].is_array()) return;
  for (const nlohmann::json& event : events["items"]) {
    if (!event.is_object() || !event.contains("message") || !event["message"].is_string()) continue;
    const std::string message = event["message"].get<std::string>().substr(0, 500);
    return Fail(child, ProblemText(PodRefusalReason(message), message));
  }
}

void KubernetesHost::Fail(Child& child, const std::string& problem) {
  child.failed = true;
  child.problem = problem;
}

const ClusterObject* KubernetesHost::FindPod(const std::string& agent) const {
  const ClusterObject* found = nullptr;
  for (const auto& [name, pod] : pods_.objects()) {
    if (pod.agent == agent) found = &pod;
  }
  return found;
}

absl::Status KubernetesHost::DeleteJob(const std::string& agent) {
  const absl::Status status =
      api_.Call("DELETE", PathOf(kBatch, "jobs", JobName(agent)),
                R"({"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"})")
          .status();
  const bool going = absl::IsNotFound(status) || absl::IsAborted(status);
  return going ? absl::OkStatus() : status;
}

void KubernetesHost::RemoveStrangers() {
  std::set<std::string> strangers;
  for (const auto& [name, job] : jobs_.objects()) {
    const auto child = children_.find(job.agent);
    if (job.deleting || (child != children_.end() && !child->second.failed)) continue;
    const absl::Status removed = DeleteJob(std::string(absl::StripPrefix(name, kJobPrefix)));
    HoldBack(removed);
    if (absl::IsResourceExhausted(removed)) return;
    if (child != children_.end()) continue;
    strangers.insert(name);
  }
  // Pods go with their jobs, unless somebody removed a job alone.
  for (const auto& [name, pod] : pods_.objects()) {
    if (pod.deleting || children_.count(pod.agent) > 0 ||
        jobs_.objects().count(JobName(pod.agent)) > 0) {
      continue;
    }
    const absl::Status removed = api_.Call("DELETE", PathOf(kCore, "pods", name)).status();
    HoldBack(removed);
    if (removed.ok()) strangers.insert(name);
  }
  for (const std::string& name : strangers) {
    jobs_swept.Increment({options_.name});
    log::Info("removed what runs for no known agent", {{"host", options_.name}, {"name", name}});
  }
}

void KubernetesHost::Reap() {
  for (auto at = children_.begin(); at != children_.end();) {
    Child& child = at->second;
    if (!child.failed) {
      ++at;
      continue;
    }
    tokens_.Remove(at->first);
    if (child.problem != "exited with status 0") {
      const std::string reason = child.problem.substr(0, child.problem.find(':'));
      pod_failures.Increment({options_.name, reason.size() < child.problem.size() ? reason : ""});
      log::Warning("an agent ended",
                   {{"host", options_.name}, {"agent", at->first}, {"problem", child.problem}});
    }
    reports_.on_exited(at->first, std::move(child.problem));
    at = children_.erase(at);
  }
}

void KubernetesHost::SetReach(const std::string& problem) {
  cluster_reached.Set({options_.name}, problem.empty() ? 1 : 0);
  if (problem.empty() == reach_.empty()) return;
  reach_ = problem;
  if (problem.empty()) {
    log::Info("the cluster answers again", {{"host", options_.name}});
  } else {
    log::Warning("the cluster cannot be used",
                 {{"host", options_.name}, {"server", options_.api.server}, {"error", problem}});
  }
  reports_.on_reach(options_.name, problem);
}

std::string KubernetesHost::PathOf(const char* api, const char* kind,
                                   const std::string& name) const {
  return absl::StrCat(api, "/namespaces/", options_.cluster_namespace, "/", kind,
                      name.empty() ? "" : "/", name);
}

}  // namespace slipway::dispatcher
