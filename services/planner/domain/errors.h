#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "services/planner/domain/plan_state.h"

// Every error that the planner itself returns. Errors of other services pass through unchanged.
namespace slipway::planner {

// Projects.
absl::Status ProjectUnknown(absl::string_view name);
absl::Status ProjectExists(absl::string_view name);
absl::Status ProjectArchived(absl::string_view name);
absl::Status PlanTierMissing();
absl::Status PolicyInvalid(absl::string_view field, absl::string_view problem);

// Specs and plans.
absl::Status SpecEmpty();
absl::Status SpecTooLarge(size_t bytes);
absl::Status SpecNotText(size_t offset);
absl::Status PlanUnknown(absl::string_view name);
absl::Status VersionUnknown(absl::string_view name, int version);
absl::Status VersionMismatch(absl::string_view name, int64_t given, int64_t current);
absl::Status PlanInState(absl::string_view name, PlanState state, absl::string_view wanted);
// With the time after which asking again may help.
absl::Status StartPending(absl::string_view name, const absl::Status& trouble);
// The same for a change to a plan that runs.
absl::Status AmendmentPending(absl::string_view name, const absl::Status& trouble);
absl::Status AmendmentUnderWay(absl::string_view name, int version);
absl::Status TooManyPlans(absl::string_view id);
absl::Status TooManyDrafts();

// Task graphs. `where` is the place of the problem: "task parse-input", "$.tasks[3].id".
absl::Status PlanEmpty();
absl::Status PlanTooLarge(absl::string_view problem);
absl::Status PlanCycle(absl::string_view cycle);
absl::Status DependencyUnknown(absl::string_view task, absl::string_view dependency);
absl::Status TaskDuplicate(absl::string_view task);
absl::Status TaskUnknown(absl::string_view task);
absl::Status TaskInvalid(absl::string_view task, absl::string_view problem);
absl::Status RequirementInvalid(absl::string_view requirement, absl::string_view problem);
absl::Status PathOutside(absl::string_view task, absl::string_view path, absl::string_view problem);
absl::Status CommitInvalid(absl::string_view commit);
absl::Status EditEmpty();
// The edit takes back all that a version would have changed.
absl::Status EditTakesAllBack(int version);

// Pages.
absl::Status PageInvalid(absl::string_view problem);

// Replies of models; they reach people as a plan's failure and models as a repair prompt.
absl::Status ReplyEmpty();
absl::Status ReplyTooLarge(absl::string_view problem);
absl::Status ReplyNotJson(size_t offset, absl::string_view problem);
absl::Status ReplyTruncated(absl::string_view problem);
absl::Status ReplyTooDeep(absl::string_view path);
absl::Status ReplyDuplicateKey(absl::string_view path);
absl::Status ReplyFieldUnknown(absl::string_view path, absl::string_view known);
absl::Status ReplyFieldMissing(absl::string_view path);
absl::Status ReplyFieldInvalid(absl::string_view path, absl::string_view problem);

// Stored data that this program did not write.
absl::Status StoredPlanInvalid(absl::string_view problem);

// "REASON: message", or only the message when `status` has no reason.
std::string Describe(const absl::Status& status);

}  // namespace slipway::planner
