#include "services/dispatcher/storage/change_writer.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "services/dispatcher/storage/task_json.h"

namespace slipway::dispatcher {
namespace {

constexpr sqlite::Sql kInsertRun =
    "INSERT INTO run(plan,project,title,version,digest,branch,tip,policy,state,result,"
    "start_time_us,end_time_us) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr sqlite::Sql kUpdateRun =
    "UPDATE run SET version=?,digest=?,tip=?,state=?,result=?,end_time_us=? WHERE plan=?";

constexpr sqlite::Sql kInsertTask =
    "INSERT INTO task(plan,id,position,state,epoch,reason,detail,resume_time_us,ready_time_us,"
    "end_time_us,merged_commit,open_checkpoint,progress) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr sqlite::Sql kInsertSpec = "INSERT INTO task_spec(plan,id,spec) VALUES(?,?,?)";

constexpr sqlite::Sql kUpdateTask =
    "UPDATE task SET state=?,epoch=?,reason=?,detail=?,resume_time_us=?,ready_time_us=?,"
    "end_time_us=?,merged_commit=?,open_checkpoint=?,progress=?"
    " WHERE plan=? AND id=? AND epoch=?";
constexpr sqlite::Sql kUpdateSpec = "UPDATE task_spec SET spec=? WHERE plan=? AND id=?";

constexpr sqlite::Sql kUpsertAttempt =
    "INSERT INTO attempt(plan,task,epoch,kind,state,host,agent,commit_id,reason,detail,feedback,"
    "start_time_us,end_time_us,has_result,key_open,silence_us)"
    " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT(plan,task,epoch) DO UPDATE SET state=excluded.state,reason=excluded.reason,"
    "detail=excluded.detail,end_time_us=excluded.end_time_us,has_result=excluded.has_result,"
    "key_open=excluded.key_open,silence_us=excluded.silence_us";
// What changes of an attempt. The index of open keys is left alone while the key stays open.
constexpr sqlite::Sql kUpdateWithKey =
    "UPDATE attempt SET state=?,reason=?,detail=?,end_time_us=?,has_result=?,silence_us=?"
    " WHERE plan=? AND task=? AND epoch=? AND key_open<>0";
constexpr sqlite::Sql kUpdateWithoutKey =
    "UPDATE attempt SET state=?,reason=?,detail=?,end_time_us=?,has_result=?,silence_us=?,"
    "key_open=0 WHERE plan=? AND task=? AND epoch=?";

constexpr sqlite::Sql kUpsertCheckpoint =
    "INSERT INTO checkpoint(plan,task,number,reason,question,evidence,options,decision,guidance,"
    "actor,open_time_us,resolve_time_us,diagnosis) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT(plan,task,number) DO UPDATE SET decision=excluded.decision,"
    "guidance=excluded.guidance,actor=excluded.actor,resolve_time_us=excluded.resolve_time_us,"
    "diagnosis=excluded.diagnosis";

constexpr sqlite::Sql kUpsertPause =
    "INSERT INTO pause(scope,reason,actor,time_us) VALUES(?,?,?,?) ON CONFLICT(scope) DO NOTHING";
constexpr sqlite::Sql kDeletePause = "DELETE FROM pause WHERE scope=?";

constexpr sqlite::Sql kInsertResult =
    "INSERT INTO result(plan,task,epoch,salvage,patch,tree,facts) VALUES(?,?,?,?,?,?,?)"
    " ON CONFLICT(plan,task,epoch) DO NOTHING";

constexpr sqlite::Sql kUpdateTerm =
    "UPDATE term SET lease_timeout_us=? WHERE number=(SELECT term FROM meta)";
constexpr sqlite::Sql kInsertStart =
    "INSERT INTO start_intent(agent,host,token_digest,create_time_us) VALUES(?,?,?,?)";
constexpr sqlite::Sql kDeleteStart = "DELETE FROM start_intent WHERE agent=?";
constexpr sqlite::Sql kUpsertHostOrder =
    "INSERT INTO host_order(host,cordoned,draining,drain_deadline_us,reason,actor,time_us)"
    " VALUES(?,?,?,?,?,?,?) ON CONFLICT(host) DO UPDATE SET cordoned=excluded.cordoned,"
    "draining=excluded.draining,drain_deadline_us=excluded.drain_deadline_us,"
    "reason=excluded.reason,actor=excluded.actor,time_us=excluded.time_us";

constexpr sqlite::Sql kUpdateRules = "UPDATE term SET rules=? WHERE number=(SELECT term FROM meta)";
constexpr sqlite::Sql kUpsertUsage =
    "INSERT INTO project_usage(project,virtual_us,slot_us,cost_usd_nanos) VALUES(?,?,?,?)"
    " ON CONFLICT(project) DO UPDATE SET virtual_us=excluded.virtual_us,slot_us=excluded.slot_us,"
    "cost_usd_nanos=excluded.cost_usd_nanos";

constexpr sqlite::Sql kUpdateCursor = "UPDATE meta SET ledger_cursor=?";

absl::Status EpochFenced(const TaskWrite& write) {
  return base::Error(
      absl::StatusCode::kInternal, "EPOCH_FENCED",
      absl::StrCat(write.task.key.Name(), " is not at epoch ", write.expected_epoch));
}

absl::Status WriteTask(sqlite::Transaction& transaction, const TaskWrite& write) {
  const Task& task = write.task;
  if (write.insert) {
    RETURN_IF_ERROR(
        transaction.Execute(kInsertSpec, task.key.plan, task.key.id, ToJson(task.spec)));
    return transaction.Execute(kInsertTask, task.key.plan, task.key.id, task.position,
                               static_cast<int>(task.state), task.epoch, task.reason, task.detail,
                               task.resume_time, task.ready_time, task.end_time, task.merged_commit,
                               task.open_checkpoint, ToJson(task.progress));
  }
  RETURN_IF_ERROR(transaction.Execute(
      kUpdateTask, static_cast<int>(task.state), task.epoch, task.reason, task.detail,
      task.resume_time, task.ready_time, task.end_time, task.merged_commit, task.open_checkpoint,
      ToJson(task.progress), task.key.plan, task.key.id, write.expected_epoch));
  if (transaction.changes() == 1) {
    if (!write.spec_changed) return absl::OkStatus();
    return transaction.Execute(kUpdateSpec, ToJson(task.spec), task.key.plan, task.key.id);
  }
  return EpochFenced(write);
}

absl::Status WriteRun(sqlite::Transaction& transaction, const Run& run) {
  RETURN_IF_ERROR(transaction.Execute(kUpdateRun, run.version, run.digest, run.tip,
                                      static_cast<int>(run.state), run.result, run.end_time,
                                      run.plan));
  if (transaction.changes() == 1) return absl::OkStatus();
  return transaction.Execute(kInsertRun, run.plan, ProjectOf(run.plan), run.title, run.version,
                             run.digest, run.branch, run.tip, ToJson(run.policy),
                             static_cast<int>(run.state), run.result, run.start_time, run.end_time);
}

// `first` is what is known of it since the last commit.
absl::Status WriteAttempt(sqlite::Transaction& transaction, const Attempt& first,
                          const Attempt& attempt) {
  const AttemptKey& key = attempt.key;
  std::optional<int64_t> silence_us;
  if (attempt.silence.has_value()) silence_us = absl::ToInt64Microseconds(*attempt.silence);
  if (first.state != AttemptState::kOffered) {
    RETURN_IF_ERROR(transaction.Execute(attempt.key_open ? kUpdateWithKey : kUpdateWithoutKey,
                                        static_cast<int>(attempt.state), attempt.reason,
                                        attempt.detail, attempt.end_time, attempt.has_result,
                                        silence_us, key.task.plan, key.task.id, key.epoch));
    if (transaction.changes() == 1) return absl::OkStatus();
  }
  return transaction.Execute(kUpsertAttempt, key.task.plan, key.task.id, key.epoch,
                             static_cast<int>(attempt.kind), static_cast<int>(attempt.state),
                             attempt.host, attempt.agent, attempt.commit, attempt.reason,
                             attempt.detail, ToJson(attempt.feedback), attempt.start_time,
                             attempt.end_time, attempt.has_result, attempt.key_open, silence_us);
}

absl::Status WriteCheckpoint(sqlite::Transaction& transaction, const Checkpoint& checkpoint) {
  std::vector<std::string> options;
  for (const Decision option : checkpoint.options) {
    options.push_back(absl::StrCat(static_cast<int>(option)));
  }
  const CheckpointKey& key = checkpoint.key;
  return transaction.Execute(kUpsertCheckpoint, key.task.plan, key.task.id, key.number,
                             checkpoint.reason, checkpoint.question, ToJson(checkpoint.evidence),
                             ToJson(options), static_cast<int>(checkpoint.decision),
                             checkpoint.guidance, checkpoint.actor, checkpoint.open_time,
                             checkpoint.resolve_time,
                             checkpoint.diagnosis.has_value() ? ToJson(*checkpoint.diagnosis) : "");
}

absl::Status WriteResult(sqlite::Transaction& transaction, const ResultWrite& write) {
  const AttemptKey& key = write.attempt;
  if (const auto* change = std::get_if<ChangeResult>(&write.result)) {
    return transaction.Execute(kInsertResult, key.task.plan, key.task.id, key.epoch, write.salvage,
                               sqlite::Blob{change->patch}, change->tree, change->summary);
  }
  if (const auto* evidence = std::get_if<EvidenceResult>(&write.result)) {
    return transaction.Execute(kInsertResult, key.task.plan, key.task.id, key.epoch, write.salvage,
                               std::nullopt, evidence->tree, ToJson(*evidence));
  }
  return absl::OkStatus();  // Failures and stops are in the attempt's row.
}

absl::Status WriteHosts(sqlite::Transaction& transaction, const ChangeSet& changes) {
  for (const StartIntent& start : changes.starts) {
    RETURN_IF_ERROR(transaction.Execute(kInsertStart, start.agent, start.host, start.token_digest,
                                        start.create_time));
  }
  for (const std::string& agent : changes.ended_starts) {
    RETURN_IF_ERROR(transaction.Execute(kDeleteStart, agent));
  }
  for (const HostOrder& order : changes.host_orders) {
    RETURN_IF_ERROR(transaction.Execute(kUpsertHostOrder, order.host, order.cordoned,
                                        order.draining, order.drain_deadline, order.reason,
                                        order.actor, order.time));
  }
  return absl::OkStatus();
}

absl::Status WriteTurns(sqlite::Transaction& transaction, const ChangeSet& changes) {
  if (changes.rules.has_value()) {
    RETURN_IF_ERROR(transaction.Execute(kUpdateRules, ToJson(*changes.rules)));
  }
  for (const ProjectUsage& usage : changes.usage) {
    RETURN_IF_ERROR(transaction.Execute(
        kUpsertUsage, usage.project, absl::ToInt64Microseconds(usage.virtual_time),
        absl::ToInt64Microseconds(usage.slot_time), usage.cost_usd_nanos));
  }
  return absl::OkStatus();
}

// By the key that a pointer leads to.
template <typename Key>
struct KeyHash {
  size_t operator()(const Key* key) const { return absl::Hash<Key>()(*key); }
};
template <typename Key>
struct KeyEqual {
  bool operator()(const Key* a, const Key* b) const { return *a == *b; }
};

// States of rows of one table, in the order in which the rows were first changed. Keys and states
// must outlive it.
template <typename Key, typename Value>
class LastStates final {
 public:
  struct States {
    Value* first;
    Value* last;
  };

  explicit LastStates(size_t most) {
    places_.reserve(most);
    states_.reserve(most);
  }

  // Returns the state that was added before; null the first time.
  Value* Add(const Key& key, Value& value) {
    const auto [place, is_new] = places_.emplace(&key, states_.size());
    if (!is_new) return std::exchange(states_[place->second].last, &value);
    states_.push_back({.first = &value, .last = &value});
    return nullptr;
  }
  const std::vector<States>& states() const { return states_; }

 private:
  absl::flat_hash_map<const Key*, size_t, KeyHash<Key>, KeyEqual<Key>> places_;
  std::vector<States> states_;
};

absl::Status WriteTasks(sqlite::Transaction& transaction, std::vector<ChangeSet>& changes) {
  size_t most = 0;
  for (const ChangeSet& each : changes) most += each.tasks.size();
  LastStates<TaskKey, TaskWrite> tasks(most);
  for (ChangeSet& each : changes) {
    for (TaskWrite& write : each.tasks) {
      if (TaskWrite* const before = tasks.Add(write.task.key, write); before != nullptr) {
        if (write.insert || write.expected_epoch != before->task.epoch) return EpochFenced(write);
        if (!write.spec_changed) write.task.spec = std::move(before->task.spec);
        write.insert = before->insert;
        write.spec_changed |= before->spec_changed;
        write.expected_epoch = before->expected_epoch;
      }
    }
  }
  for (const auto& task : tasks.states()) RETURN_IF_ERROR(WriteTask(transaction, *task.last));
  return absl::OkStatus();
}

absl::Status WriteRunsAndAttempts(sqlite::Transaction& transaction,
                                  std::vector<ChangeSet>& changes) {
  size_t runs_most = 0;
  size_t attempts_most = 0;
  for (const ChangeSet& each : changes) {
    runs_most += each.runs.size();
    attempts_most += each.attempts.size();
  }
  LastStates<std::string, Run> runs(runs_most);
  LastStates<AttemptKey, Attempt> attempts(attempts_most);
  for (ChangeSet& each : changes) {
    for (Run& run : each.runs) runs.Add(run.plan, run);
    for (Attempt& attempt : each.attempts) attempts.Add(attempt.key, attempt);
  }
  for (const auto& run : runs.states()) RETURN_IF_ERROR(WriteRun(transaction, *run.last));
  for (const auto& attempt : attempts.states()) {
    RETURN_IF_ERROR(WriteAttempt(transaction, *attempt.first, *attempt.last));
  }
  return absl::OkStatus();
}

absl::Status WriteOthers(sqlite::Transaction& transaction, const ChangeSet& changes) {
  for (const Checkpoint& checkpoint : changes.checkpoints) {
    RETURN_IF_ERROR(WriteCheckpoint(transaction, checkpoint));
  }
  for (const Pause& pause : changes.pauses) {
    RETURN_IF_ERROR(
        transaction.Execute(kUpsertPause, pause.scope, pause.reason, pause.actor, pause.time));
  }
  for (const std::string& scope : changes.ended_pauses) {
    RETURN_IF_ERROR(transaction.Execute(kDeletePause, scope));
  }
  for (const ResultWrite& result : changes.results) {
    RETURN_IF_ERROR(WriteResult(transaction, result));
  }
  if (changes.lease_timeout.has_value()) {
    RETURN_IF_ERROR(
        transaction.Execute(kUpdateTerm, absl::ToInt64Microseconds(*changes.lease_timeout)));
  }
  RETURN_IF_ERROR(WriteHosts(transaction, changes));
  RETURN_IF_ERROR(WriteTurns(transaction, changes));
  if (changes.ledger_cursor.has_value()) {
    RETURN_IF_ERROR(transaction.Execute(kUpdateCursor, *changes.ledger_cursor));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteRows(sqlite::Transaction& transaction, std::vector<ChangeSet>& changes) {
  RETURN_IF_ERROR(WriteRunsAndAttempts(transaction, changes));
  RETURN_IF_ERROR(WriteTasks(transaction, changes));
  for (const ChangeSet& each : changes) RETURN_IF_ERROR(WriteOthers(transaction, each));
  return absl::OkStatus();
}

}  // namespace slipway::dispatcher
