#include "services/reviewer/rpc/repository_handlers.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/git/snapshot.h"
#include "lib/git/tree.h"
#include "lib/git/tree_diff.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/reviewer/domain/commit_message.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/flow/plan_opener.h"
#include "services/reviewer/rpc/convert.h"

namespace slipway::reviewer {
namespace {

using namespace repository::v1;  // NOLINT: the messages of one contract.

metrics::Counter snapshots({.name = "slipway_reviewer_snapshots_total",
                            .description = "Snapshots sent, by kind: complete or incremental.",
                            .labels = {"kind"}});
metrics::Counter snapshot_bytes({.name = "slipway_reviewer_snapshot_bytes_total",
                                 .description = "Bytes of snapshots sent, by kind.",
                                 .labels = {"kind"}});

// A page size that a caller may leave open.
absl::StatusOr<size_t> PageSize(int given, int standard, int most) {
  if (given < 0) return PageInvalid("its size is negative");
  return static_cast<size_t>(given == 0 ? standard : std::min(given, most));
}

absl::StatusOr<size_t> OffsetOf(const std::string& token) {
  if (token.empty()) return size_t{0};
  uint64_t offset = 0;
  if (!absl::SimpleAtoi(token, &offset) || offset > kTreeFilesMax) {
    return PageInvalid("its token was not made here");
  }
  return static_cast<size_t>(offset);
}

int64_t BytesMax(int64_t given, int64_t standard, int64_t most) {
  return given <= 0 ? standard : std::min(given, most);
}

}  // namespace

absl::StatusOr<CheckRepositoryResponse> RepositoryHandlers::CheckRepository(
    const rpc::Call&, const CheckRepositoryRequest& request) {
  ASSIGN_OR_RETURN(const SourceState state,
                   workshop_.sources.Look(request.location(), request.branch()));
  if (request.require_clean() && state.dirty) return RepositoryDirty(request.location());
  if (request.has_policy()) {
    ASSIGN_OR_RETURN(const ProjectPolicy policy, PolicyFromProto(request.policy()));
    RETURN_IF_ERROR(PlanOpener(workshop_).CheckPolicy(policy));
  }
  CheckRepositoryResponse response;
  response.set_commit(state.commit.ToHex());
  response.set_dirty(state.dirty);
  response.set_checked_out(state.checked_out);
  return response;
}

absl::StatusOr<OpenPlanResponse> RepositoryHandlers::OpenPlan(const rpc::Call&,
                                                              const OpenPlanRequest& request) {
  ASSIGN_OR_RETURN(Plan wanted, PlanFromProto(request));
  ASSIGN_OR_RETURN(const Plan plan, PlanOpener(workshop_).Open(std::move(wanted)));
  OpenPlanResponse response;
  response.set_base_commit(plan.base_commit);
  response.set_branch(plan.branch);
  return response;
}

absl::StatusOr<ListFilesResponse> RepositoryHandlers::ListFiles(const rpc::Call&,
                                                                const ListFilesRequest& request) {
  ASSIGN_OR_RETURN(const Names names, ParseProject(request.project()));
  ASSIGN_OR_RETURN(const size_t page_size,
                   PageSize(request.page_size(), kFilesPageDefault, kFilesPageMax));
  ASSIGN_OR_RETURN(const size_t offset, OffsetOf(request.page_token()));
  ASSIGN_OR_RETURN(const git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  ASSIGN_OR_RETURN(const git::Commit commit, RequireCommit(mirror, request.commit()));
  ASSIGN_OR_RETURN(const std::vector<git::TreeFile> files,
                   git::ListFiles(mirror, commit.tree, kTreeFilesMax));
  ListFilesResponse response;
  const size_t end = std::min(files.size(), offset + page_size);
  for (size_t i = offset; i < end; ++i) {
    FileEntry& entry = *response.add_files();
    entry.set_path(base::ToUtf8(files[i].path, files[i].path.size() * 3));
    entry.set_mode(files[i].mode);
    if (files[i].mode == git::kModeSubmodule) continue;
    ASSIGN_OR_RETURN(const uint64_t size, mirror.SizeOf(files[i].oid));
    entry.set_size(static_cast<int64_t>(size));
  }
  if (end < files.size()) response.set_next_page_token(absl::StrCat(end));
  return response;
}

absl::StatusOr<ReadFileResponse> RepositoryHandlers::ReadFile(const rpc::Call&,
                                                              const ReadFileRequest& request) {
  ASSIGN_OR_RETURN(const Names names, ParseProject(request.project()));
  if (request.path().empty() || request.path().front() == '/') {
    return PathInvalid(request.path(), "give a path from the root");
  }
  const int64_t bytes_max = BytesMax(request.bytes_max(), kFileBytesDefault, kFileBytesMax);
  ASSIGN_OR_RETURN(const git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  ASSIGN_OR_RETURN(const git::Commit commit, RequireCommit(mirror, request.commit()));
  ASSIGN_OR_RETURN(const std::optional<git::TreeEntry> entry,
                   git::FindEntry(mirror, commit.tree, request.path()));
  if (!entry.has_value() || entry->is_tree() || entry->mode == git::kModeSubmodule) {
    return FileUnknown(request.path());
  }
  absl::StatusOr<std::string> content =
      git::ReadBlob(mirror, entry->oid, static_cast<size_t>(bytes_max));
  if (base::ReasonOf(content.status()) == "OBJECT_TOO_LARGE") {
    return FileTooLarge(request.path(), bytes_max);
  }
  RETURN_IF_ERROR(content.status());
  ReadFileResponse response;
  response.set_content(*std::move(content));
  return response;
}

absl::Status RepositoryHandlers::WriteSnapshot(
    const GetSnapshotRequest& request,
    absl::FunctionRef<void(const std::string& base_commit)> begin, const git::ByteSink& sink) {
  ASSIGN_OR_RETURN(const Names names, ParseProject(request.project()));
  ASSIGN_OR_RETURN(const git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  ASSIGN_OR_RETURN(const git::Commit commit, RequireCommit(mirror, request.commit()));
  std::vector<git::Oid> cached;
  for (const std::string& known : request.cached_commits()) {
    if (cached.size() == kCachedCommitsMax) break;
    ASSIGN_OR_RETURN(const git::Oid oid, git::Oid::Parse(known));
    cached.push_back(oid);
  }
  ASSIGN_OR_RETURN(const git::Snapshot snapshot, git::Snapshot::Plan(mirror, commit.oid, cached));
  const std::string base = snapshot.base().has_value() ? snapshot.base()->ToHex() : "";
  begin(base);
  ASSIGN_OR_RETURN(const git::SnapshotSize size, snapshot.Write(sink, {.cache = &packed_}));
  const char* const kind = base.empty() ? "complete" : "incremental";
  snapshots.Increment({kind});
  snapshot_bytes.Increment({kind}, size.bytes);
  log::Info("snapshot sent", {{"project", names.project_id},
                              {"commit", request.commit()},
                              {"base", base},
                              {"cached", request.cached_commits_size()},
                              {"objects", size.objects},
                              {"bytes", size.bytes}});
  return absl::OkStatus();
}

absl::StatusOr<RepositoryHandlers::Range> RepositoryHandlers::RangeOfAttempt(
    const Names& names, const std::string& attempt) {
  ASSIGN_OR_RETURN(const std::optional<Inspection> change, workshop_.store.FindInspection(attempt));
  if (!change.has_value() || !change->accepted) return ChangeUnknown(attempt);
  return Range{names.project_id, change->base_commit, change->commit};
}

absl::StatusOr<RepositoryHandlers::Range> RepositoryHandlers::RangeOfTask(const Names& names,
                                                                          const std::string& task) {
  ASSIGN_OR_RETURN(const std::optional<Merged> merged, workshop_.store.FindMergedOfTask(task));
  if (merged.has_value()) return Range{names.project_id, merged->from, merged->commit};
  ASSIGN_OR_RETURN(const std::vector<Inspection> changes, workshop_.store.ListInspections(task));
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
    if (change->accepted) return Range{names.project_id, change->base_commit, change->commit};
  }
  return ChangeUnknown(task);
}

absl::StatusOr<RepositoryHandlers::Range> RepositoryHandlers::RangeOf(
    const GetDiffRequest& request) {
  const std::string& name = request.name();
  if (absl::StrContains(name, "/attempts/")) {
    ASSIGN_OR_RETURN(const Names names, ParseAttempt(name));
    return RangeOfAttempt(names, name);
  }
  if (absl::StrContains(name, "/tasks/")) {
    ASSIGN_OR_RETURN(const Names names, ParseTask(name));
    return RangeOfTask(names, name);
  }
  if (absl::StrContains(name, "/plans/")) {
    ASSIGN_OR_RETURN(const Names names, ParsePlan(name));
    const absl::StatusOr<Plan> plan = RequirePlan(workshop_.store, name);
    if (base::ReasonOf(plan.status()) == "PLAN_UNKNOWN") return ChangeUnknown(name);
    RETURN_IF_ERROR(plan.status());
    ASSIGN_OR_RETURN(const git::Repository mirror, workshop_.mirrors.Find(names.project_id));
    ASSIGN_OR_RETURN(const git::Oid tip, mirror.ReadRef(BranchRef(plan->branch)));
    return Range{names.project_id, plan->base_commit, tip.ToHex()};
  }
  ASSIGN_OR_RETURN(const Names names, ParseProject(name));
  return Range{names.project_id, request.from_commit(), request.to_commit()};
}

absl::StatusOr<GetDiffResponse> RepositoryHandlers::GetDiff(const rpc::Call&,
                                                            const GetDiffRequest& request) {
  ASSIGN_OR_RETURN(const Range range, RangeOf(request));
  const int64_t bytes_max = BytesMax(request.bytes_max(), kDiffBytesDefault, kDiffBytesMax);
  ASSIGN_OR_RETURN(const git::Repository mirror, workshop_.mirrors.Find(range.project_id));
  ASSIGN_OR_RETURN(const git::Commit from, RequireCommit(mirror, range.from));
  ASSIGN_OR_RETURN(const git::Commit to, RequireCommit(mirror, range.to));
  ASSIGN_OR_RETURN(const git::DiffText diff,
                   git::FormatDiff(mirror, from.tree, to.tree, static_cast<size_t>(bytes_max)));
  GetDiffResponse response;
  response.set_text(base::ToUtf8(diff.text, diff.text.size() * 3));
  response.set_truncated(diff.truncated);
  response.set_from_commit(range.from);
  response.set_to_commit(range.to);
  return response;
}

absl::StatusOr<ListCommitsResponse> RepositoryHandlers::ListCommits(
    const rpc::Call&, const ListCommitsRequest& request) {
  ASSIGN_OR_RETURN(const Names names, ParsePlan(request.plan()));
  ASSIGN_OR_RETURN(const size_t page_size,
                   PageSize(request.page_size(), kCommitsPageDefault, kCommitsPageMax));
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, request.plan()));
  ASSIGN_OR_RETURN(const git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  // A token is the commit to begin with: pages stay whole when the branch grows.
  ASSIGN_OR_RETURN(git::Oid begin, mirror.ReadRef(BranchRef(plan.branch)));
  if (!request.page_token().empty()) {
    const absl::StatusOr<git::Commit> commit = RequireCommit(mirror, request.page_token());
    if (!commit.ok()) return PageInvalid("its token was not made here");
    begin = commit->oid;
  }
  ASSIGN_OR_RETURN(const std::vector<git::Commit> history,
                   mirror.History(begin, {.limit = page_size + 1}));
  ListCommitsResponse response;
  for (const git::Commit& commit : history) {
    if (commit.oid.ToHex() == plan.base_commit) break;
    if (static_cast<size_t>(response.commits_size()) == page_size) {
      response.set_next_page_token(commit.oid.ToHex());
      break;
    }
    Commit& added = *response.add_commits();
    added.set_commit(commit.oid.ToHex());
    added.set_tree(commit.tree.ToHex());
    added.set_subject(base::ToUtf8(commit.subject(), kSubjectBytesMax * 3));
    added.set_task(base::ToUtf8(TrailerOf(commit.message, kTaskTrailer), 256));
    added.mutable_commit_time()->set_seconds(absl::ToUnixSeconds(commit.committer.time));
  }
  return response;
}

}  // namespace slipway::reviewer
