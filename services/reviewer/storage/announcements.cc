#include "services/reviewer/storage/announcements.h"

#include <nlohmann/json.hpp>

#include "lib/base/utf8.h"

namespace slipway::reviewer {
namespace {

using Json = nlohmann::json;

// Keeps an event far below the limit of the log.
constexpr size_t kListedMax = 50;
constexpr size_t kTextBytesMax = 2 << 10;

std::string ProjectOf(const std::string& plan) {
  const size_t slash = plan.find("/plans/");
  return plan.substr(0, slash);
}

events::EventDraft Draft(const std::string& kind, const Candidate& about, const Json& facts) {
  return {.kind = kind,
          .project = ProjectOf(about.plan),
          .plan = about.plan,
          .task = about.task,
          .attempt = about.attempt,
          .payload_json = events::PayloadJson(
              kind, facts.dump(-1, ' ', false, Json::error_handler_t::replace))};
}

}  // namespace

events::EventDraft PatchInspected(const Inspection& inspection) {
  const Candidate about{
      .plan = inspection.plan, .task = inspection.task, .attempt = inspection.attempt};
  if (inspection.accepted) {
    return Draft("patch.accepted", about,
                 {{"commit", inspection.commit},
                  {"files", inspection.paths.size()},
                  {"added", inspection.added},
                  {"removed", inspection.removed}});
  }
  const Finding first = inspection.findings.empty() ? Finding() : inspection.findings.front();
  return Draft("patch.refused", about,
               {{"reason", first.code},
                {"path", first.path},
                {"detail", base::ToUtf8(first.detail, kTextBytesMax)}});
}

events::EventDraft CandidateCreated(const Candidate& candidate) {
  return Draft("candidate.created", candidate,
               {{"commit", candidate.commit},
                {"tree", candidate.tree},
                {"base", candidate.base},
                {"method", NameOf(candidate.method)}});
}

events::EventDraft CandidateConflicted(const Candidate& tried,
                                       const std::vector<std::string>& paths) {
  Json listed = Json::array();
  for (size_t i = 0; i < paths.size() && i < kListedMax; ++i) listed.push_back(paths[i]);
  return Draft("candidate.conflicted", tried, {{"base", tried.base}, {"paths", listed}});
}

events::EventDraft EvidenceRecorded(const Candidate& candidate, const Evidence& evidence) {
  Json failed = Json::array();
  for (const ValidatorResult& result : evidence.results) {
    if (!result.passed) failed.push_back(result.validator);
  }
  return Draft("evidence.recorded", candidate,
               {{"tree", evidence.tree},
                {"validator_digest", evidence.validator_digest},
                {"passed", evidence.passed},
                {"failed", failed},
                {"rerun", evidence.rerun},
                {"flaky", evidence.flaky}});
}

events::EventDraft VerdictGiven(const Candidate& candidate, const GivenVerdict& verdict) {
  return Draft("verdict.given", candidate,
               {{"verdict", NameOf(verdict.verdict.kind)},
                {"summary", base::ToUtf8(verdict.verdict.summary, kTextBytesMax)},
                {"role", verdict.roles}});
}

events::EventDraft ChangeMerged(const Candidate& candidate, const Merged& merged) {
  return Draft("change.merged", candidate,
               {{"branch", merged.branch},
                {"from", merged.from},
                {"to", merged.commit},
                {"tree", merged.tree}});
}

events::EventDraft BranchReturned(const Rollback& rollback) {
  Json undone = Json::array();
  for (const std::string& task : rollback.undone_tasks) {
    if (undone.size() < kListedMax) undone.push_back(task);
  }
  return Draft("branch.returned", {.plan = rollback.plan},
               {{"branch", rollback.branch},
                {"from", rollback.from},
                {"to", rollback.commit},
                {"target", rollback.target},
                {"undone_tasks", undone},
                {"actor", rollback.actor},
                {"reason", base::ToUtf8(rollback.reason, kTextBytesMax)}});
}

events::EventDraft IntegrationChanged(const Candidate& candidate, const IntegrationNews& news) {
  return Draft("integration.changed", candidate,
               {{"state", news.state},
                {"target", news.target},
                {"commit", candidate.commit},
                {"detail", base::ToUtf8(news.detail, kTextBytesMax)}});
}

}  // namespace slipway::reviewer
