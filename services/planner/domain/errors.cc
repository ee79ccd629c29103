#include "services/planner/domain/errors.h"

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "services/planner/domain/limits.h"

namespace slipway::planner {
namespace {

absl::Status Invalid(absl::string_view reason, absl::string_view message,
                     std::map<std::string, std::string> metadata = {}) {
  return base::Error(absl::StatusCode::kInvalidArgument, reason, message, std::move(metadata));
}

std::string Text(absl::string_view text) { return std::string(text); }

}  // namespace

absl::Status ProjectUnknown(absl::string_view name) {
  return base::Error(absl::StatusCode::kNotFound, "PROJECT_UNKNOWN",
                     absl::StrCat("there is no project ", name, "; create it first"),
                     {{"project", Text(name)}});
}

absl::Status ProjectExists(absl::string_view name) {
  return base::Error(absl::StatusCode::kAlreadyExists, "PROJECT_EXISTS",
                     absl::StrCat("there is a project ", name, " already; choose another id"),
                     {{"project", Text(name)}});
}

absl::Status ProjectArchived(absl::string_view name) {
  return base::Error(absl::StatusCode::kFailedPrecondition, "PROJECT_ARCHIVED",
                     absl::StrCat(name, " is archived: it takes no new plans"),
                     {{"project", Text(name)}});
}

absl::Status PlanTierMissing() {
  return Invalid("PLAN_TIER_MISSING",
                 "plan_tier is empty: say which subscription or API allowance the project may "
                 "use, such as 'local', 'scripted' or 'api'");
}

absl::Status PolicyInvalid(absl::string_view field, absl::string_view problem) {
  return Invalid("POLICY_INVALID", absl::StrCat(field, ": ", problem), {{"field", Text(field)}});
}

absl::Status SpecEmpty() {
  return Invalid("SPEC_EMPTY", "the spec has no text: write what shall be done");
}

absl::Status SpecTooLarge(size_t bytes) {
  return Invalid("SPEC_TOO_LARGE",
                 absl::StrCat("the spec has ", bytes, " bytes, more than ", kSpecBytesMax,
                              ": split it into several plans"),
                 {{"bytes", absl::StrCat(bytes)}, {"bytes_max", absl::StrCat(kSpecBytesMax)}});
}

absl::Status SpecNotText(size_t offset) {
  return Invalid("SPEC_NOT_TEXT",
                 absl::StrCat("the spec is not UTF-8 text without NUL: see byte ", offset),
                 {{"offset", absl::StrCat(offset)}});
}

absl::Status PlanUnknown(absl::string_view name) {
  return base::Error(absl::StatusCode::kNotFound, "PLAN_UNKNOWN",
                     absl::StrCat("there is no plan ", name), {{"plan", Text(name)}});
}

absl::Status VersionUnknown(absl::string_view name, int version) {
  return base::Error(absl::StatusCode::kNotFound, "VERSION_UNKNOWN",
                     absl::StrCat(name, " has no version ", version),
                     {{"plan", Text(name)}, {"version", absl::StrCat(version)}});
}

absl::Status VersionMismatch(absl::string_view name, int64_t given, int64_t current) {
  return base::Error(
      absl::StatusCode::kAborted, "VERSION_MISMATCH",
      absl::StrCat(name, " is at version ", current, ", not ", given, ": read it again and repeat"),
      {{"name", Text(name)}, {"given", absl::StrCat(given)}, {"current", absl::StrCat(current)}});
}

absl::Status PlanInState(absl::string_view name, PlanState state, absl::string_view wanted) {
  return base::Error(
      absl::StatusCode::kFailedPrecondition, "PLAN_STATE",
      absl::StrCat(name, " is ", PlanStateName(state), "; this needs a plan that is ", wanted),
      {{"plan", Text(name)}, {"state", Text(PlanStateName(state))}});
}

absl::Status StartPending(absl::string_view name, const absl::Status& trouble) {
  return base::RetryableError(
      absl::StatusCode::kUnavailable, "START_PENDING",
      absl::StrCat(name, " will start as soon as this has passed: ", Describe(trouble)),
      kBackoffFirst, {{"plan", Text(name)}});
}

absl::Status AmendmentPending(absl::string_view name, const absl::Status& trouble) {
  return base::RetryableError(
      absl::StatusCode::kUnavailable, "AMENDMENT_PENDING",
      absl::StrCat(
          "the change to ", name,
          " is approved and is handed over as soon as this has passed: ", Describe(trouble)),
      kBackoffFirst, {{"plan", Text(name)}});
}

absl::Status AmendmentUnderWay(absl::string_view name, int version) {
  return base::Error(
      absl::StatusCode::kFailedPrecondition, "AMENDMENT_UNDER_WAY",
      absl::StrCat("version ", version, " of ", name,
                   " is approved and being handed over: look again when it runs or was refused"),
      {{"plan", Text(name)}, {"version", absl::StrCat(version)}});
}

absl::Status TooManyPlans(absl::string_view id) {
  return base::Error(absl::StatusCode::kResourceExhausted, "PLAN_NAMES_SPENT",
                     absl::StrCat("too many plans are called ", id, ": give another title"),
                     {{"id", Text(id)}});
}

absl::Status TooManyDrafts() {
  return base::Error(absl::StatusCode::kResourceExhausted, "DRAFTS_SPENT",
                     absl::StrCat(kDraftingMax,
                                  " plans are being drafted: wait for some of them "
                                  "or reject them"));
}

absl::Status PlanEmpty() {
  return Invalid("PLAN_EMPTY", "the plan has no tasks: give at least one");
}

absl::Status PlanTooLarge(absl::string_view problem) {
  return Invalid("PLAN_TOO_LARGE", absl::StrCat("the plan is too large: ", problem));
}

absl::Status PlanCycle(absl::string_view cycle) {
  return Invalid("PLAN_CYCLE",
                 absl::StrCat("tasks depend on each other in a circle: ", cycle,
                              "; remove one of these dependencies"),
                 {{"cycle", Text(cycle)}});
}

absl::Status DependencyUnknown(absl::string_view task, absl::string_view dependency) {
  return Invalid("DEPENDENCY_UNKNOWN",
                 absl::StrCat("task ", task, " depends on '", dependency,
                              "', which is not a task of the plan"),
                 {{"task", Text(task)}, {"dependency", Text(dependency)}});
}

absl::Status TaskDuplicate(absl::string_view task) {
  return Invalid("TASK_DUPLICATE", absl::StrCat("two tasks have the id '", task, "'"),
                 {{"task", Text(task)}});
}

absl::Status TaskUnknown(absl::string_view task) {
  return base::Error(absl::StatusCode::kNotFound, "TASK_UNKNOWN",
                     absl::StrCat("the plan has no task '", task, "'"), {{"task", Text(task)}});
}

absl::Status TaskInvalid(absl::string_view task, absl::string_view problem) {
  return Invalid("TASK_INVALID", absl::StrCat("task ", task, ": ", problem),
                 {{"task", Text(task)}});
}

absl::Status RequirementInvalid(absl::string_view requirement, absl::string_view problem) {
  return Invalid("REQUIREMENT_INVALID", absl::StrCat("requirement ", requirement, ": ", problem),
                 {{"requirement", Text(requirement)}});
}

absl::Status PathOutside(absl::string_view task, absl::string_view path,
                         absl::string_view problem) {
  return Invalid("PATH_OUTSIDE",
                 absl::StrCat("task ", task, ": the path pattern '", path, "' ", problem,
                              "; patterns are relative to the root of the repository"),
                 {{"task", Text(task)}, {"path", Text(path)}});
}

absl::Status CommitInvalid(absl::string_view commit) {
  return Invalid("OID_INVALID",
                 absl::StrCat("base_commit '", commit, "' is not 40 hexadecimal digits"),
                 {{"commit", Text(commit)}});
}

absl::Status EditEmpty() {
  return Invalid("EDIT_EMPTY", "the edit changes nothing: give edits or added tasks");
}

absl::Status EditTakesAllBack(int version) {
  return Invalid("EDIT_EMPTY",
                 absl::StrCat("the edit takes back all that would change the running plan: reject "
                              "version ",
                              version, " instead"),
                 {{"version", absl::StrCat(version)}});
}

absl::Status PageInvalid(absl::string_view problem) { return Invalid("PAGE_INVALID", problem); }

absl::Status ReplyEmpty() {
  return Invalid("REPLY_EMPTY", "the reply has no text; reply with one JSON object");
}

absl::Status ReplyTooLarge(absl::string_view problem) {
  return Invalid("REPLY_TOO_LARGE", absl::StrCat("the reply is too large: ", problem));
}

absl::Status ReplyNotJson(size_t offset, absl::string_view problem) {
  return Invalid("REPLY_NOT_JSON",
                 absl::StrCat("the reply is not one JSON object: byte ", offset, ": ", problem),
                 {{"offset", absl::StrCat(offset)}});
}

absl::Status ReplyTruncated(absl::string_view problem) {
  return Invalid("REPLY_TRUNCATED", absl::StrCat("the reply ends too early: ", problem,
                                                 "; write a shorter plan, complete"));
}

absl::Status ReplyTooDeep(absl::string_view path) {
  return Invalid("REPLY_TOO_DEEP", absl::StrCat(path, " is nested too deeply"),
                 {{"path", Text(path)}});
}

absl::Status ReplyDuplicateKey(absl::string_view path) {
  return Invalid("REPLY_DUPLICATE_KEY", absl::StrCat(path, " is given twice"),
                 {{"path", Text(path)}});
}

absl::Status ReplyFieldUnknown(absl::string_view path, absl::string_view known) {
  return Invalid("REPLY_FIELD_UNKNOWN",
                 absl::StrCat(path, " is not a field of the schema; there is ", known),
                 {{"path", Text(path)}});
}

absl::Status ReplyFieldMissing(absl::string_view path) {
  return Invalid("REPLY_FIELD_MISSING", absl::StrCat(path, " is missing"), {{"path", Text(path)}});
}

absl::Status ReplyFieldInvalid(absl::string_view path, absl::string_view problem) {
  return Invalid("REPLY_FIELD_INVALID", absl::StrCat(path, " ", problem), {{"path", Text(path)}});
}

absl::Status StoredPlanInvalid(absl::string_view problem) {
  return base::Error(absl::StatusCode::kDataLoss, "STORED_PLAN_INVALID",
                     absl::StrCat("the database holds what this program cannot read: ", problem));
}

std::string Describe(const absl::Status& status) {
  const std::string reason = base::ReasonOf(status);
  if (reason.empty()) return std::string(status.message());
  return absl::StrCat(reason, ": ", status.message());
}

}  // namespace slipway::planner
