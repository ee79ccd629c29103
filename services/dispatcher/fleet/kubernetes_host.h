#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/http/client.h"
#include "services/dispatcher/domain/agent_tokens.h"
#include "services/dispatcher/fleet/container_host.h"
#include "services/dispatcher/fleet/job_spec.h"
#include "services/dispatcher/fleet/kubernetes_api.h"
#include "services/dispatcher/fleet/kubernetes_watch.h"
#include "services/dispatcher/fleet/order_inbox.h"

namespace slipway::dispatcher {

// The agents of one namespace of a Kubernetes cluster, each the one pod of a Job of its own. What
// they may reach is said by a NetworkPolicy that is there, as it has to be, before the first Job.
// An agent that the cluster cannot run, or ended, is reported with the cause as a reason that
// stays the same ("IMAGE_PULL_FAILED: ...").
class KubernetesHost final : public ContainerHost {
 public:
  struct Options {
    std::string name;   // hosts/{h}
    std::string owner;  // Of the dispatcher's database: marks what it makes.
    KubernetesApi::Options api;
    std::string cluster_namespace;
    JobOptions job;  // But for owner, host and agent.
    std::vector<ClusterPeer> peers;
    std::string agent_config;  // Text.
  };

  KubernetesHost(Options options, http::Client& client, AgentTokens& tokens, base::Clock& clock);
  ~KubernetesHost() override { Stop(); }

  void Begin(const std::vector<StartIntent>& intents, Reports reports) override;
  void Stop() override;
  void Start(AgentFleet::Order order) override;
  void Retire(const std::string& agent) override;

 private:
  struct Child {
    std::string token;  // Empty for one that was adopted.
    std::string job_uid;
    bool made = false;       // The cluster said that its job was made.
    bool seen = false;       // Its job was in the mirror.
    bool has_secret = true;  // Or needs none.
    bool retired = false;
    bool deleted = false;  // The cluster said that its job will be.
    bool failed = false;   // To be reported.
    std::string problem;
    int tries = 0;
    int lists = 0;  // Complete when it was made.
    absl::Duration pending_since = absl::InfiniteDuration();
    absl::Duration ask_events_at = absl::InfiniteDuration();
    absl::Duration terminate_at = absl::InfiniteDuration();
    absl::Duration give_up_at = absl::InfiniteDuration();
  };
  using Children = std::map<std::string, Child>;  // By agent.

  void Loop();
  absl::Duration Pause() const;
  void Obey();
  void Look();
  absl::Status RefreshMirrors();
  absl::Status EnsurePolicy();
  void Step(const std::string& agent, Child& child);
  void Make(const std::string& agent, Child& child);
  void MakeSecret(const std::string& agent, Child& child);
  void NoteRefusal(Child& child, const absl::Status& status, const char* what);
  void Watch(const std::string& agent, Child& child, const ClusterObject& job,
             const ClusterObject* pod);
  void CheckPending(const std::string& agent, Child& child, const ClusterObject* pod);
  void AskWhyNoPod(const std::string& agent, Child& child);
  void Fail(Child& child, const std::string& problem);
  absl::Status DeleteJob(const std::string& agent);
  void RemoveStrangers();
  void Reap();
  void SetReach(const std::string& problem);
  void HoldBack(const absl::Status& status);
  const ClusterObject* FindPod(const std::string& agent) const;
  std::string PathOf(const char* api, const char* kind, const std::string& name = "") const;

  const Options options_;
  KubernetesApi api_;
  AgentTokens& tokens_;
  base::Clock& clock_;
  Reports reports_;

  OrderInbox inbox_;

  // Of the thread, once it runs. The mirrors wake it, from the client's thread, until they end.
  KubernetesWatch jobs_;
  KubernetesWatch pods_;
  Children children_;
  std::string reach_;
  absl::Duration policy_at_ = absl::ZeroDuration();    // When it is looked at again.
  absl::Duration quiet_until_ = absl::ZeroDuration();  // The cluster asked for less.
  std::thread thread_;
};

}  // namespace slipway::dispatcher
