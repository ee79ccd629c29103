#include "services/dispatcher/domain/errors.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "services/dispatcher/domain/limits.h"
#include "services/dispatcher/domain/transition_table.h"

namespace slipway::dispatcher {
namespace {

using absl::StatusCode;
using absl::StrCat;
using base::Error;

std::string Owned(absl::string_view text) { return std::string(text); }

}  // namespace

absl::Status PlanCycle(absl::string_view cycle) {
  return Error(StatusCode::kInvalidArgument, "PLAN_CYCLE",
               StrCat("tasks depend on each other in a circle: ", cycle, "; remove one dependency"),
               {{"cycle", Owned(cycle)}});
}

absl::Status DependencyUnknown(absl::string_view task, absl::string_view dependency) {
  return Error(StatusCode::kInvalidArgument, "DEPENDENCY_UNKNOWN",
               StrCat("task '", task, "' depends on '", dependency, "', which is not in the plan"),
               {{"task", Owned(task)}, {"dependency", Owned(dependency)}});
}

absl::Status TaskDuplicate(absl::string_view task) {
  return Error(StatusCode::kInvalidArgument, "TASK_DUPLICATE",
               StrCat("two tasks have the id '", task, "'"), {{"task", Owned(task)}});
}

absl::Status PlanEmpty() {
  return Error(StatusCode::kInvalidArgument, "PLAN_EMPTY", "the plan has no tasks");
}

absl::Status AmendmentEmpty(absl::string_view plan) {
  return Error(StatusCode::kInvalidArgument, "AMENDMENT_EMPTY",
               StrCat("the amendment of '", plan, "' changes nothing"), {{"plan", Owned(plan)}});
}

absl::Status TaskInvalid(absl::string_view task, absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "TASK_INVALID", StrCat("task '", task, "': ", problem),
               {{"task", Owned(task)}, {"problem", Owned(problem)}});
}

absl::Status PageInvalid(absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "PAGE_INVALID", problem);
}

absl::Status DecisionInvalid(absl::string_view decision, absl::string_view options) {
  return Error(StatusCode::kInvalidArgument, "DECISION_INVALID",
               StrCat("'", decision, "' is not an option of this question; possible are ", options),
               {{"decision", Owned(decision)}, {"options", Owned(options)}});
}

absl::Status GuidanceTooLarge(size_t bytes) {
  return Error(
      StatusCode::kInvalidArgument, "GUIDANCE_TOO_LARGE",
      StrCat("the text has ", bytes, " bytes, at most ", kGuidanceBytesMax, " are possible"));
}

absl::Status DrainInvalid() {
  return Error(StatusCode::kInvalidArgument, "DRAIN_INVALID",
               "the timeout of a drain must not be negative; leave it out to let attempts end");
}

absl::Status HelloMissing() {
  return Error(StatusCode::kInvalidArgument, "HELLO_MISSING",
               "the first message of a session must be a Hello with an agent id and a host");
}

absl::Status ResultMissing() {
  return Error(StatusCode::kInvalidArgument, "RESULT_MISSING",
               "set one of change, evidence, failure and stop, as the kind of grant asks");
}

absl::Status ResultTooLarge(size_t bytes) {
  return Error(
      StatusCode::kInvalidArgument, "RESULT_TOO_LARGE",
      StrCat("the result has ", bytes, " bytes, at most ", kResultBytesMax, " are possible"));
}

absl::Status RunUnknown(absl::string_view plan) {
  return Error(StatusCode::kNotFound, "RUN_UNKNOWN",
               StrCat("'", plan, "' has no run: it was not started"), {{"plan", Owned(plan)}});
}

absl::Status TaskUnknown(absl::string_view task) {
  return Error(StatusCode::kNotFound, "TASK_UNKNOWN", StrCat("there is no task '", task, "'"),
               {{"task", Owned(task)}});
}

absl::Status AttemptUnknown(absl::string_view attempt) {
  return Error(StatusCode::kNotFound, "ATTEMPT_UNKNOWN",
               StrCat("there is no attempt '", attempt, "'"), {{"attempt", Owned(attempt)}});
}

absl::Status CheckpointUnknown(absl::string_view checkpoint) {
  return Error(StatusCode::kNotFound, "CHECKPOINT_UNKNOWN",
               StrCat("there is no checkpoint '", checkpoint, "'"),
               {{"checkpoint", Owned(checkpoint)}});
}

absl::Status ScopeUnknown(absl::string_view scope) {
  return Error(StatusCode::kNotFound, "SCOPE_UNKNOWN",
               StrCat("nothing is known of '", scope,
                      "'; name a task, plan or project that has a run, or \"everything\""),
               {{"scope", Owned(scope)}});
}

absl::Status HostUnknown(absl::string_view host) {
  return Error(StatusCode::kNotFound, "HOST_UNKNOWN",
               StrCat("no host is configured as '", host, "'; list the hosts to see their names"),
               {{"host", Owned(host)}});
}

absl::Status PlanSubmitted(absl::string_view plan) {
  return Error(StatusCode::kAlreadyExists, "PLAN_SUBMITTED",
               StrCat("'", plan, "' was submitted before with other content"),
               {{"plan", Owned(plan)}});
}

absl::Status RunStateWrong(absl::string_view plan, RunState state, absl::string_view operation) {
  return Error(StatusCode::kFailedPrecondition, "RUN_STATE",
               StrCat("cannot ", operation, ": the run of '", plan, "' is ", Name(state)),
               {{"plan", Owned(plan)}, {"state", Owned(Name(state))}});
}

absl::Status TasksBegun(const std::vector<BegunTask>& tasks) {
  std::vector<std::string> ids;
  std::vector<std::string> stands;
  for (const BegunTask& task : tasks) {
    ids.push_back(task.id);
    // An agent holds it and has not said yet that it began.
    const bool offered = task.state == TaskState::kReady;
    stands.push_back(
        StrCat("'", task.id, "' is ", Name(task.state), offered ? " and given to an agent" : ""));
  }
  return Error(StatusCode::kFailedPrecondition, "TASKS_BEGUN",
               StrCat("only tasks that have not begun can change: ", absl::StrJoin(stands, ", ")),
               {{"tasks", absl::StrJoin(ids, ",")}});
}

absl::Status TaskStateWrong(absl::string_view task, TaskState state, absl::string_view operation) {
  const std::string possible = PossibleOperations(state);
  return Error(StatusCode::kFailedPrecondition, "TASK_STATE",
               StrCat("cannot ", operation, " '", task, "', which is ", Name(state),
                      "; possible: ", possible),
               {{"task", Owned(task)}, {"state", Owned(Name(state))}, {"possible", possible}});
}

absl::Status TaskLanding(absl::string_view task) {
  return Error(StatusCode::kFailedPrecondition, "TASK_STATE",
               StrCat("cannot cancel '", task,
                      "', whose change is about to land; ask again when it has landed or has not"),
               {{"task", Owned(task)}, {"state", Owned(Name(TaskState::kInspecting))}});
}

absl::Status CheckpointResolved(absl::string_view checkpoint, Decision decision) {
  return Error(StatusCode::kFailedPrecondition, "CHECKPOINT_RESOLVED",
               StrCat("'", checkpoint, "' was resolved before: ", Name(decision)),
               {{"checkpoint", Owned(checkpoint)}, {"decision", Owned(Name(decision))}});
}

absl::Status ProtocolUnsupported(ProtocolRange agent, ProtocolRange dispatcher) {
  const bool agent_older = agent.newest < dispatcher.oldest;
  const auto text = [](const ProtocolRange& range) {
    return range.oldest == range.newest ? StrCat(range.newest)
                                        : StrCat(range.oldest, " to ", range.newest);
  };
  return Error(StatusCode::kFailedPrecondition, "PROTOCOL_UNSUPPORTED",
               StrCat("the agent speaks version ", text(agent),
                      " of the agent protocol and the dispatcher version ", text(dispatcher),
                      ": the ", agent_older ? "agent" : "dispatcher",
                      " is older; use agents of the dispatcher's release"),
               {{"agent", text(agent)},
                {"supported", text(dispatcher)},
                {"older", agent_older ? "agent" : "dispatcher"}});
}

absl::Status HostNotExternal(absl::string_view host) {
  return Error(StatusCode::kFailedPrecondition, "HOST_NOT_EXTERNAL",
               StrCat("the dispatcher starts the agents of ", host,
                      " by itself; name a host of the external driver"),
               {{"host", Owned(host)}});
}

absl::Status ScalerMetadataInvalid(absl::string_view field, absl::string_view problem) {
  return Error(StatusCode::kInvalidArgument, "SCALER_METADATA_INVALID",
               StrCat("the trigger's metadata '", field, "' ", problem), {{"field", Owned(field)}});
}

absl::Status AgentConnected(absl::string_view agent) {
  return Error(StatusCode::kAlreadyExists, "AGENT_CONNECTED",
               StrCat("another agent is connected as '", agent,
                      "'; give each agent a SLIPWAY_AGENT_ID of its own"),
               {{"agent", Owned(agent)}});
}

absl::Status StaleEpoch(absl::string_view attempt) {
  return Error(StatusCode::kFailedPrecondition, "STALE_EPOCH",
               StrCat("'", attempt, "' does not hold its task any more"),
               {{"attempt", Owned(attempt)}});
}

absl::Status OffsetInvalid(int64_t offset, int64_t size) {
  return Error(StatusCode::kOutOfRange, "OFFSET_INVALID",
               StrCat("offset ", offset, " is not within the log's ", size, " bytes"),
               {{"offset", StrCat(offset)}, {"size", StrCat(size)}});
}

absl::Status TokenInvalid() {
  return Error(StatusCode::kUnauthenticated, "TOKEN_INVALID",
               "the metadata slipway-agent-token is missing or not known");
}

absl::Status VersionMismatch(absl::string_view plan, int given, int current) {
  return Error(StatusCode::kAborted, "VERSION_MISMATCH",
               StrCat("the run of '", plan, "' carries out version ", current, ", not ", given),
               {{"plan", Owned(plan)}, {"given", StrCat(given)}, {"current", StrCat(current)}});
}

absl::Status SessionReplaced(absl::string_view agent) {
  return Error(StatusCode::kAborted, "SESSION_REPLACED",
               StrCat("another session of agent '", agent, "' took over"),
               {{"agent", Owned(agent)}});
}

absl::Status QueueFull() {
  return base::RetryableError(StatusCode::kResourceExhausted, "QUEUE_FULL",
                              "too many requests wait for the dispatcher", absl::Seconds(1));
}

absl::Status AuditRunning() {
  return base::RetryableError(StatusCode::kResourceExhausted, "AUDIT_RUNNING",
                              "an audit is under way already", absl::Seconds(10));
}

absl::Status ShuttingDown() {
  return base::RetryableError(StatusCode::kUnavailable, "SHUTTING_DOWN",
                              "the dispatcher is stopping", absl::Seconds(1));
}

}  // namespace slipway::dispatcher
