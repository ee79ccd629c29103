#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/node_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "services/dispatcher/domain/agent_fleet.h"
#include "services/dispatcher/domain/agent_roster.h"
#include "services/dispatcher/domain/agent_session.h"
#include "services/dispatcher/domain/agent_tokens.h"
#include "services/dispatcher/domain/board.h"
#include "services/dispatcher/domain/death_watch.h"
#include "services/dispatcher/domain/fair_schedule.h"
#include "services/dispatcher/domain/models.h"
#include "services/dispatcher/domain/outbox.h"
#include "services/dispatcher/domain/settings.h"
#include "services/dispatcher/domain/task_flow.h"
#include "services/dispatcher/domain/task_store.h"
#include "services/dispatcher/domain/wait_notes.h"

namespace slipway::dispatcher {

// Gives work to agents and takes it back: grants, leases, results. A lease lives in memory and is
// measured by elapsed time; what an agent hands in counts only while its attempt holds the task.
// Used by the core's thread.
class GrantFlow final {
 public:
  using Post = std::function<void(absl::AnyInvocable<void()>)>;

  struct Collaborators {
    TaskStore& store;
    Board& board;
    TaskFlow& tasks;
    Outbox& outbox;
    Models& models;
    AgentFleet& fleet;
    base::Clock& clock;
    base::IdGenerator& ids;
    const Settings& settings;
    WaitNotes& notes;
    Post post;
  };

  explicit GrantFlow(Collaborators with);

  // After the board was restored: leases begin anew; offers, and the attempts of child processes,
  // which ended with the dispatcher that started them, are taken back without charge.
  void Restore();

  // How long the chains of a plan are is reckoned anew: its graph has changed.
  void ForgetPaths(const std::string& plan);

  // What projects have used before. Before Restore.
  void RestoreUsage(const std::vector<ProjectUsage>& usage);

  // What calls to models cost, by project.
  void AddCosts(const std::map<std::string, int64_t>& cost_usd_nanos);

  // Charges projects for what runs, and publishes what they have used and how long they wait. About
  // once a second.
  void MeasureShares();

  void OnHello(std::shared_ptr<AgentSession> session, const AgentHello& hello, bool process);
  void OnSessionEnded(const AgentSession* session);
  void OnGrantAnswer(const AgentSession* session, const AttemptKey& key, bool accepted,
                     const std::string& reason);
  void OnBeat(const AgentSession* session, const AgentBeat& beat);
  void OnProgress(const AgentSession* session, const AttemptKey& key, const std::string& phase,
                  const std::string& detail);
  // TOKEN_INVALID when the attempt is not the caller's, RESULT_MISSING for a result of another
  // kind.
  absl::StatusOr<Receipt> OnResult(const AgentIdentity& caller, const AttemptKey& key,
                                   AttemptResult result);
  // The agent whose attempt has ended waits for the next one.
  void OnReady(const AgentSession* session);
  void OnAgentExited(const std::string& agent, const std::string& problem);

  // The commit that a live attempt works on. STALE_EPOCH when it holds nothing.
  absl::StatusOr<std::string> SnapshotCommit(const AgentIdentity& caller, const AttemptKey& key);

  // Deadlines: offers, leases, hard limits, starts, waits.
  void CheckDeadlines();

  // Grants what can be granted. How much work there is no agent for, as far as agents could be
  // started for it.
  int Schedule();

  AgentRoster& roster() { return roster_; }

  // Agents and leases, for explorations.
  std::string DescribeMemory() const;

  // Asks again for the end of keys whose attempts ended but whose revocation was not confirmed.
  void RevokeOpenKeys();

 private:
  struct Lease {
    int64_t commit = 0;  // When it is stored the grant may leave.
    absl::Duration offer_deadline;
    absl::Duration lease_deadline;
    absl::Duration hard_deadline;
    absl::Duration heard;  // When anything was last heard of the agent.
    int progress_events = 0;
    bool taken_up = false;  // From before this start, and nothing was heard of it since.
    // What was last observed of the attempt, and when it is pointed out or stopped for nothing.
    int64_t activity = 0;
    std::string phase;
    absl::Duration active;
    absl::Duration stall_deadline = absl::InfiniteDuration();
    bool pointed_out = false;
  };

  // A wait for a time, measured by elapsed time from when it was first seen: steps of the wall
  // clock neither end nor prolong it.
  struct Wait {
    absl::Time resume_time;
    absl::Duration deadline;
  };

  // Whether what the task waits for has come; true when it waits for no time.
  bool IsDue(const Task& task);
  void ForgetWaits();
  bool CouldBeGranted(const Task& task);
  absl::Duration RemainingPath(const TaskKey& key);
  void Look(const Task& task, absl::Duration now);
  void Sync(absl::Duration now);
  void CountUnserved(int granted, absl::Duration now);
  void Grant(Task& task, Agent& agent);
  void OnKeyIssued(const AttemptKey& key, const absl::StatusOr<IssuedKey>& issued);
  void SendOffer(const Task& task, const Attempt& attempt, const IssuedKey& key);
  absl::Duration TimeoutOf(const Task& task, GrantKind kind);

  void DropUnheld(const Agent& agent, const std::optional<AttemptKey>& kept, bool restarted);
  bool Take(Attempt& attempt);
  bool Renew(const AttemptKey& key, const std::string& agent);
  void Withdraw(Attempt& attempt, const std::string& reason, const std::string& detail);
  void Lose(Attempt& attempt, const std::string& reason, const std::string& detail);
  void TimeOut(Attempt& attempt);
  // What an agent's end says about its task: the host, when it died of it.
  std::string DeathHost(const Attempt& attempt);
  void NoteActivity(Lease& lease);
  void NoteBeat(Lease& lease, const AgentBeat& beat);
  void CheckStall(Attempt& attempt);
  void OnReleased(Attempt& attempt);
  void RevokeKeys(const AttemptKey& key);
  void Send(const std::string& agent, AgentOrder order);
  void Greet(const std::string& agent, std::vector<GrantVerdict> verdicts);
  // Null when the agent has no session.
  Outbox::Effect ToSend(const std::string& agent, AgentOrder order);

  void Report(Task& task, Attempt& attempt, ChangeResult result);
  void Report(Task& task, Attempt& attempt, EvidenceResult result);
  void Report(Task& task, Attempt& attempt, FailureResult result);
  void Report(Task& task, Attempt& attempt, StopResult result);
  absl::StatusOr<Receipt> ReceiptOfForgotten(const AgentIdentity& caller, const AttemptKey& key);
  Receipt Salvage(Attempt& attempt, const AttemptKey& key, AttemptResult result);

  TaskStore& store_;
  Board& board_;
  TaskFlow& tasks_;
  Outbox& outbox_;
  Models& models_;
  AgentFleet& fleet_;
  base::Clock& clock_;
  base::IdGenerator& ids_;
  const Settings& settings_;
  Post post_;
  WaitNotes& notes_;
  AgentRoster roster_;
  FairSchedule schedule_;
  int unserved_ = 0;
  absl::Duration next_count_;  // When unserved_ is counted again.
  std::set<TaskKey> delayed_;  // Would wait for an agent, but for a time that has not come.
  absl::node_hash_map<AttemptKey, Lease> leases_;
  std::map<TaskKey, Wait> waits_;
  std::map<std::string, std::map<std::string, absl::Duration>> paths_;  // By plan and task.
  DeathWatch death_watch_;
  std::set<AttemptKey> stale_reported_;  // Beats that were answered by an event already.
};

}  // namespace slipway::dispatcher
