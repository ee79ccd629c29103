#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/dispatcher/domain/states.h"

// Every error the dispatcher returns.
namespace slipway::dispatcher {

// INVALID_ARGUMENT
absl::Status PlanCycle(absl::string_view cycle);
absl::Status DependencyUnknown(absl::string_view task, absl::string_view dependency);
absl::Status TaskDuplicate(absl::string_view task);
absl::Status PlanEmpty();
absl::Status AmendmentEmpty(absl::string_view plan);
absl::Status TaskInvalid(absl::string_view task, absl::string_view problem);
absl::Status PageInvalid(absl::string_view problem);
absl::Status DecisionInvalid(absl::string_view decision, absl::string_view options);
absl::Status GuidanceTooLarge(size_t bytes);
absl::Status DrainInvalid();
absl::Status HelloMissing();
absl::Status ScalerMetadataInvalid(absl::string_view field, absl::string_view problem);
absl::Status ResultMissing();
absl::Status ResultTooLarge(size_t bytes);

// NOT_FOUND
absl::Status RunUnknown(absl::string_view plan);
absl::Status TaskUnknown(absl::string_view task);
absl::Status AttemptUnknown(absl::string_view attempt);
absl::Status CheckpointUnknown(absl::string_view checkpoint);
absl::Status ScopeUnknown(absl::string_view scope);
absl::Status HostUnknown(absl::string_view host);

// ALREADY_EXISTS
absl::Status PlanSubmitted(absl::string_view plan);
absl::Status AgentConnected(absl::string_view agent);

// FAILED_PRECONDITION
absl::Status RunStateWrong(absl::string_view plan, RunState state, absl::string_view operation);
struct BegunTask {
  std::string id;
  TaskState state;
};
absl::Status TasksBegun(const std::vector<BegunTask>& tasks);
absl::Status TaskStateWrong(absl::string_view task, TaskState state, absl::string_view operation);
// A change that lands at once, or not, is no longer a person's to stop.
absl::Status TaskLanding(absl::string_view task);
absl::Status CheckpointResolved(absl::string_view checkpoint, Decision decision);
// Of an agent that speaks versions from `oldest` to `newest` to a dispatcher that speaks others.
struct ProtocolRange {
  int oldest = 1;
  int newest = 1;
};
absl::Status ProtocolUnsupported(ProtocolRange agent, ProtocolRange dispatcher);
absl::Status HostNotExternal(absl::string_view host);
absl::Status StaleEpoch(absl::string_view attempt);

// OUT_OF_RANGE
absl::Status OffsetInvalid(int64_t offset, int64_t size);

// UNAUTHENTICATED
absl::Status TokenInvalid();

// ABORTED
absl::Status VersionMismatch(absl::string_view plan, int given, int current);
absl::Status SessionReplaced(absl::string_view agent);

// RESOURCE_EXHAUSTED
absl::Status QueueFull();
absl::Status AuditRunning();

// UNAVAILABLE
absl::Status ShuttingDown();

}  // namespace slipway::dispatcher
