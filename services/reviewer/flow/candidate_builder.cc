#include "services/reviewer/flow/candidate_builder.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/git/merge.h"
#include "lib/git/overlay.h"
#include "lib/git/tree.h"
#include "lib/metrics/metrics.h"
#include "lib/policy/secret_scanner.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/limits.h"
#include "services/reviewer/domain/stored_form.h"

namespace slipway::reviewer {
namespace {

metrics::Histogram candidate_seconds({.name = "slipway_reviewer_candidate_seconds",
                                      .description = "Time to build a candidate.",
                                      .labels = {"outcome"}});

bool SameEntry(const std::optional<git::TreeEntry>& a, const std::optional<git::TreeEntry>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a.has_value() || a->SameObject(*b);
}

// Whole lines of the beginning.
std::string CutAtLine(const std::string& text, size_t bytes_max) {
  if (text.size() <= bytes_max) return base::ToUtf8(text, text.size() * 3);
  const size_t end = text.rfind('\n', bytes_max);
  return absl::StrCat(
      base::ToUtf8(text.substr(0, end == std::string::npos ? bytes_max : end + 1), bytes_max),
      "[cut]\n");
}

// Only what is between the markers, with a little around it: an agent has the file.
std::string HunksOf(const std::string& text) {
  constexpr size_t kAround = 3;
  std::vector<absl::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    lines.push_back(absl::string_view(text).substr(begin, end - begin));
    begin = end;
  }
  std::vector<bool> shown(lines.size(), false);
  bool inside = false;
  for (size_t i = 0; i < lines.size(); ++i) {
    const bool opens = lines[i].substr(0, 7) == "<<<<<<<";
    const bool closes = lines[i].substr(0, 7) == ">>>>>>>";
    inside = inside || opens;
    if (inside) shown[i] = true;
    if (closes) inside = false;
    for (size_t j = 1; (opens || closes) && j <= kAround; ++j) {
      if (opens && i >= j) shown[i - j] = true;
      if (closes && i + j < lines.size()) shown[i + j] = true;
    }
  }
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!shown[i]) continue;
    if (i > 0 && !shown[i - 1]) absl::StrAppend(&out, "...\n");
    absl::StrAppend(&out, lines[i]);
  }
  return out;
}

}  // namespace

ConflictReport ReportOf(const git::Oid& base, const std::vector<git::Conflict>& conflicts) {
  ConflictReport report{.base = base.ToHex(), .paths = {}};
  for (const git::Conflict& conflict : conflicts) {
    if (report.paths.size() >= kConflictPathsMax) break;
    // Whole, so that a key is known by its first line.
    const std::string text = policy::RedactSecrets(conflict.text).text;
    report.paths.push_back({.path = conflict.path,
                            .kind = git::NameOf(conflict.kind),
                            .hunks = CutAtLine(HunksOf(text), kConflictHunksBytesMax)});
  }
  return report;
}

// One candidate under construction.
struct CandidateBuilder::Job {
  const Inspection& change;
  git::Repository& mirror;
  git::Commit base;
  git::Commit agent;
  git::Commit tip;
  git::Overlay overlay;
  Candidate result;
};

absl::StatusOr<std::string> CandidateBuilder::NameOn(const Plan& plan, const Inspection& change,
                                                     const std::string& base) {
  return absl::StrCat(plan.name, "/candidates/",
                      CandidateId(absl::StrCat(change.attempt, " ", change.commit), base,
                                  ValidatorDigest(plan.policy.validators)));
}

absl::StatusOr<BuildOutcome> CandidateBuilder::BuildOn(const Plan& plan, const Inspection& change,
                                                       const std::string& base_hex,
                                                       const std::string& group) {
  const absl::Duration started = workshop_.clock.Elapsed();
  ASSIGN_OR_RETURN(const Names names, ParseAttempt(change.attempt));
  ASSIGN_OR_RETURN(git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  ASSIGN_OR_RETURN(const std::string name, NameOn(plan, change, base_hex));
  ASSIGN_OR_RETURN(std::optional<Candidate> earlier, workshop_.store.FindCandidate(name));
  if (earlier.has_value()) return BuildOutcome(*std::move(earlier));

  ASSIGN_OR_RETURN(git::Commit base, RequireCommit(mirror, change.base_commit));
  ASSIGN_OR_RETURN(git::Commit agent, RequireCommit(mirror, change.commit));
  ASSIGN_OR_RETURN(git::Commit tip, RequireCommit(mirror, base_hex));
  Job job{.change = change,
          .mirror = mirror,
          .base = std::move(base),
          .agent = std::move(agent),
          .tip = std::move(tip),
          .overlay = git::Overlay(mirror),
          .result = {.name = name,
                     .plan = plan.name,
                     .task = names.task(),
                     .attempt = change.attempt,
                     .source = change.commit,
                     .base = base_hex,
                     .validator_digest = ValidatorDigest(plan.policy.validators),
                     .group = group,
                     .create_time = workshop_.clock.Now()}};
  ASSIGN_OR_RETURN(std::optional<git::Oid> tree, TakeFastPath(job));
  if (!tree.has_value()) {
    job.result.method = MergeMethod::kThreeWay;
    ASSIGN_OR_RETURN(const git::MergeResult merge,
                     git::MergeTrees(job.overlay, job.base.tree, job.tip.tree, job.agent.tree));
    if (!merge.clean()) {
      candidate_seconds.Observe({"conflict"}, workshop_.clock.Elapsed() - started);
      return BuildOutcome(ReportOf(job.tip.oid, merge.conflicts));
    }
    tree = merge.tree;
  }
  ASSIGN_OR_RETURN(Candidate built, Finish(job, *tree));
  candidate_seconds.Observe({NameOf(built.method)}, workshop_.clock.Elapsed() - started);
  return BuildOutcome(std::move(built));
}

// The merged tree when no touched path differs between base and tip; else nothing.
absl::StatusOr<std::optional<git::Oid>> CandidateBuilder::TakeFastPath(Job& job) {
  if (job.base.tree == job.tip.tree) return job.agent.tree;
  git::TreeChanges changes;
  for (const std::string& path : job.change.paths) {
    ASSIGN_OR_RETURN(const auto at_base, git::FindEntry(job.mirror, job.base.tree, path));
    ASSIGN_OR_RETURN(const auto at_tip, git::FindEntry(job.mirror, job.tip.tree, path));
    if (!SameEntry(at_base, at_tip)) return std::nullopt;
    ASSIGN_OR_RETURN(const auto at_agent, git::FindEntry(job.mirror, job.agent.tree, path));
    std::optional<git::FileChange>& change = changes[path];
    // A path whose file became a directory is a removal; what is below it has paths of its own.
    if (at_agent.has_value() && !at_agent->is_tree()) {
      change = git::FileChange{.mode = at_agent->mode, .oid = at_agent->oid};
    }
  }
  absl::StatusOr<git::Oid> tree = job.overlay.WriteTree(job.tip.tree, changes);
  // A file and a directory of one name: the three-way merge says what conflicts.
  if (!tree.ok()) return std::nullopt;
  return *tree;
}

absl::StatusOr<Candidate> CandidateBuilder::Finish(Job& job, const git::Oid& tree) {
  Candidate& result = job.result;
  result.tree = tree.ToHex();
  if (tree == job.tip.tree) {
    result.method = MergeMethod::kUnchanged;
    result.commit = result.base;
    return workshop_.store.AddCandidate(result);
  }
  const std::string message = ChangeMessage(job.change, result.validator_digest);
  // On the tip that it was made for, the agent's commit is what would be made here, and its ref
  // keeps it.
  if (job.agent.parents == std::vector<git::Oid>{job.tip.oid} && job.agent.message == message &&
      job.agent.tree == tree) {
    result.commit = job.agent.oid.ToHex();
    return workshop_.store.AddCandidate(result);
  }
  ASSIGN_OR_RETURN(const git::Oid commit,
                   PutCommit(workshop_, job.overlay, tree, {job.tip.oid}, message));
  result.commit = commit.ToHex();
  ASSIGN_OR_RETURN(const Names names, ParseCandidate(result.name));
  RETURN_IF_ERROR(Publish(job.mirror, job.overlay, CandidateRef(names), commit));
  return workshop_.store.AddCandidate(result);
}

}  // namespace slipway::reviewer
