#include "services/reviewer/flow/rewinder.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/git/overlay.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/reviewer/domain/commit_message.h"
#include "services/reviewer/domain/errors.h"
#include "services/reviewer/domain/limits.h"

namespace slipway::reviewer {
namespace {

metrics::Counter rollbacks({.name = "slipway_reviewer_rollbacks_total",
                            .description = "Branches taken back to an earlier state, or why not.",
                            .labels = {"outcome"}});

constexpr size_t kDigitsMin = 7;
constexpr size_t kDigitsMax = 40;

bool IsAbbreviation(const std::string& text) {
  return text.size() >= kDigitsMin && text.size() <= kDigitsMax &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

// A plan's branch along its first parents, the tip first, the base last.
struct Rewinder::Branch {
  std::vector<git::Commit> commits;
  std::map<git::Oid, size_t> places;

  const git::Commit& tip() const { return commits.front(); }

  // Tasks whose changes the state of `commit` holds, newest first: what a rollback took back is not
  // in them.
  std::vector<std::string> TasksAt(const git::Oid& commit) const {
    std::vector<std::string> tasks;
    for (auto place = places.find(commit); place != places.end();) {
      const git::Commit& at = commits[place->second];
      const std::string returned_to = TrailerOf(at.message, kRollbackTrailer);
      if (returned_to.empty()) {
        const std::string task = TrailerOf(at.message, kTaskTrailer);
        if (place->second + 1 < commits.size() && !task.empty()) tasks.push_back(task);
        place = at.parents.empty() ? places.end() : places.find(at.parents.front());
      } else {
        // Always to something older, so that this ends.
        const absl::StatusOr<git::Oid> target = git::Oid::Parse(returned_to);
        const auto next = target.ok() ? places.find(*target) : places.end();
        if (next != places.end() && next->second <= place->second) break;
        place = next;
      }
    }
    return tasks;
  }
};

absl::StatusOr<Rewinder::Branch> Rewinder::ReadBranch(const Plan& plan,
                                                      const git::Repository& mirror) {
  ASSIGN_OR_RETURN(const git::Oid tip, mirror.ReadRef(BranchRef(plan.branch)));
  ASSIGN_OR_RETURN(const git::Oid base, git::Oid::Parse(plan.base_commit));
  Branch branch;
  for (git::Oid next = tip; branch.commits.size() < kBranchCommitsMax;) {
    ASSIGN_OR_RETURN(git::Commit commit, git::ReadCommit(mirror, next));
    branch.places.emplace(next, branch.commits.size());
    branch.commits.push_back(std::move(commit));
    const git::Commit& last = branch.commits.back();
    if (next == base || last.parents.empty()) return branch;
    next = last.parents.front();
  }
  return branch;
}

absl::StatusOr<git::Oid> Rewinder::FindState(const RollbackRequest& request, const Plan& plan,
                                             const Branch& branch) {
  std::string wanted = request.commit;
  if (!request.task.empty()) {
    ASSIGN_OR_RETURN(const Names names, ParseTask(request.task));
    if (names.plan() != plan.name) return TaskNotMerged(request.task);
    ASSIGN_OR_RETURN(const std::optional<Merged> merged,
                     workshop_.store.FindMergedOfTask(request.task));
    if (!merged.has_value()) return TaskNotMerged(request.task);
    wanted = merged->commit;
  }
  if (wanted == "base") wanted = plan.base_commit;
  if (!IsAbbreviation(wanted)) return OidInvalid(wanted);
  const git::Commit* found = nullptr;
  for (const git::Commit& commit : branch.commits) {
    if (!absl::StartsWith(commit.oid.ToHex(), wanted)) continue;
    if (found != nullptr) return CommitUnknown(wanted);  // It names two.
    found = &commit;
  }
  if (found == nullptr) return CommitUnknown(wanted);
  return found->oid;
}

absl::StatusOr<Rollback> Rewinder::RollBack(const RollbackRequest& request) {
  ASSIGN_OR_RETURN(const Names names, ParsePlan(request.plan));
  ASSIGN_OR_RETURN(const Plan plan, RequirePlan(workshop_.store, request.plan));
  ASSIGN_OR_RETURN(const std::optional<Merged> integration,
                   workshop_.store.FindIntegration(plan.name));
  if (integration.has_value()) return PlanIntegrated(plan.name, integration->commit);
  const std::string ref = BranchRef(plan.branch);
  ASSIGN_OR_RETURN(const std::vector<LandIntent> landings, workshop_.store.ListIntents());
  for (const LandIntent& landing : landings) {
    if (landing.ref == ref) return LandingUnderWay(plan.branch);
  }
  ASSIGN_OR_RETURN(git::Repository mirror, workshop_.mirrors.Find(names.project_id));
  ASSIGN_OR_RETURN(const Branch branch, ReadBranch(plan, mirror));
  ASSIGN_OR_RETURN(const git::Oid target, FindState(request, plan, branch));
  const git::Commit& state = branch.commits[branch.places.at(target)];
  Rollback rollback{.plan = plan.name,
                    .branch = ref,
                    .from = branch.tip().oid.ToHex(),
                    .target = target.ToHex(),
                    .commit = branch.tip().oid.ToHex(),
                    .tree = state.tree.ToHex(),
                    .actor = request.actor,
                    .reason = base::ToUtf8(request.reason, kRollbackReasonBytesMax),
                    .rollback_time = workshop_.clock.Now()};
  if (state.tree == branch.tip().tree) return rollback;

  const std::vector<std::string> now = branch.TasksAt(branch.tip().oid);
  const std::vector<std::string> then = branch.TasksAt(target);
  const auto without = [](const std::vector<std::string>& all,
                          const std::vector<std::string>& others) {
    const std::set<std::string> known(others.begin(), others.end());
    std::vector<std::string> rest;
    std::copy_if(all.begin(), all.end(), std::back_inserter(rest),
                 [&](const std::string& task) { return !known.contains(task); });
    return rest;
  };
  rollback.undone_tasks = without(now, then);
  rollback.restored_tasks = without(then, now);

  git::Overlay overlay(mirror);
  const CommitText text{
      .subject = absl::StrCat("Roll back to ", target.ToHex().substr(0, 10), ": ", state.subject()),
      .body = rollback.reason,
      .trailers = {{kPlanTrailer, plan.name},
                   {kRollbackTrailer, rollback.target},
                   {kApproverTrailer, rollback.actor.empty() ? "unknown" : rollback.actor}}};
  ASSIGN_OR_RETURN(const git::Oid commit, PutCommit(workshop_, overlay, state.tree,
                                                    {branch.tip().oid}, ComposeMessage(text)));
  RETURN_IF_ERROR(overlay.Publish(mirror));
  rollback.commit = commit.ToHex();
  RETURN_IF_ERROR(workshop_.store.AddRollback(rollback));
  const absl::Status moved = Move(mirror, rollback);
  rollbacks.Increment({moved.ok() ? "done" : base::ReasonOf(moved)});
  RETURN_IF_ERROR(moved);
  log::Info("a branch was taken back", {{"plan", plan.name},
                                        {"from", rollback.from},
                                        {"target", rollback.target},
                                        {"undone", rollback.undone_tasks.size()}});
  return rollback;
}

// Moves the branch as promised, or forgets the promise.
absl::Status Rewinder::Move(git::Repository& mirror, const Rollback& rollback) {
  ASSIGN_OR_RETURN(const git::Oid from, git::Oid::Parse(rollback.from));
  ASSIGN_OR_RETURN(const git::Oid commit, git::Oid::Parse(rollback.commit));
  const absl::Status moved = mirror.CompareAndSwap(
      rollback.branch, from, commit, absl::StrCat("slipway: roll back to ", rollback.target));
  ASSIGN_OR_RETURN(const git::Oid now, mirror.ReadRef(rollback.branch));
  ASSIGN_OR_RETURN(const bool holds, mirror.IsAncestor(commit, now));
  if (holds) return workshop_.store.EndRollback(rollback);
  RETURN_IF_ERROR(workshop_.store.AbandonRollback(rollback.commit));
  if (base::ReasonOf(moved) == "REF_MOVED") return BranchMoved(rollback.branch);
  return moved;
}

absl::Status Rewinder::Recover() {
  ASSIGN_OR_RETURN(const std::vector<Rollback> open, workshop_.store.ListOpenRollbacks());
  for (const Rollback& rollback : open) {
    ASSIGN_OR_RETURN(const Names names, ParsePlan(rollback.plan));
    ASSIGN_OR_RETURN(git::Repository mirror, workshop_.mirrors.Find(names.project_id));
    const absl::Status moved = Move(mirror, rollback);
    // Whoever asked for it asks again.
    if (!moved.ok()) {
      log::Warning("a rollback was abandoned",
                   {{"plan", rollback.plan}, {"error", moved.ToString()}});
    }
  }
  return absl::OkStatus();
}

}  // namespace slipway::reviewer
