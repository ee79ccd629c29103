#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/id_generator.h"
#include "lib/events/event_log.h"
#include "lib/sqlite/database.h"
#include "lib/sqlite/group_writer.h"
#include "services/reviewer/domain/review_store.h"

namespace slipway::reviewer {

// The reviewer's SQLite file with its event log. Not from inside a write.
class SqliteReviewStore final : public ReviewStore {
 public:
  // Opens or creates `path`, a file or ":memory:". The collaborators must outlive the store.
  static absl::StatusOr<std::unique_ptr<SqliteReviewStore>> Open(const std::string& path,
                                                                 base::Clock& clock,
                                                                 base::IdGenerator& ids);

  absl::StatusOr<Plan> AddPlan(const Plan& plan) override;
  absl::StatusOr<std::optional<Plan>> FindPlan(const std::string& name) override;
  absl::StatusOr<Plan> ReplacePolicy(const std::string& plan, const ProjectPolicy& policy) override;
  absl::Status PutInspection(const Inspection& inspection, const std::string& patch) override;
  absl::StatusOr<std::optional<Inspection>> FindInspection(const std::string& attempt) override;
  absl::StatusOr<std::optional<std::string>> FindPatch(const std::string& attempt) override;
  absl::StatusOr<std::vector<Inspection>> ListInspections(const std::string& task) override;
  absl::StatusOr<Candidate> AddCandidate(const Candidate& candidate) override;
  absl::StatusOr<std::optional<Candidate>> FindCandidate(const std::string& name) override;
  absl::StatusOr<std::optional<Candidate>> NewestCandidate(const std::string& attempt) override;
  absl::StatusOr<std::vector<std::string>> ListCandidates(const std::string& plan,
                                                          const std::string& task) override;
  absl::Status AnnounceConflict(const Candidate& tried,
                                const std::vector<std::string>& paths) override;
  absl::Status AddEvidence(const Candidate& candidate, const Evidence& evidence) override;
  absl::StatusOr<std::optional<Evidence>> FindEvidence(
      const std::string& project, const std::string& tree,
      const std::string& validator_digest) override;
  absl::StatusOr<std::vector<Evidence>> ListFailures(const std::string& project,
                                                     const std::string& tree,
                                                     const std::string& validator_digest,
                                                     const std::string& attempt) override;
  absl::Status AddReady(const std::string& candidate, const std::string& approver) override;
  absl::StatusOr<std::optional<std::string>> FindReady(const std::string& candidate) override;
  absl::Status AddRejection(const std::string& plan, const std::string& attempt) override;
  absl::StatusOr<std::vector<bool>> ListOutcomes(const std::string& plan, int limit) override;
  absl::StatusOr<GivenVerdict> AddVerdict(const Candidate& candidate,
                                          const GivenVerdict& verdict) override;
  absl::StatusOr<std::optional<GivenVerdict>> FindVerdict(const std::string& candidate,
                                                          int round) override;
  absl::StatusOr<std::optional<GivenVerdict>> NewestVerdict(const std::string& candidate) override;
  absl::StatusOr<std::optional<GivenVerdict>> FindVerdictOfPrompt(
      const std::string& plan, const std::string& prompt_digest) override;
  absl::StatusOr<int> CurrentTry(const std::string& call) override;
  absl::Status EndTry(const std::string& call) override;
  absl::Status AddIntent(const LandIntent& intent) override;
  absl::Status AbandonIntent(const std::string& candidate) override;
  absl::StatusOr<std::vector<LandIntent>> ListIntents() override;
  absl::StatusOr<Merged> AddMerged(const Candidate& candidate, const Merged& merged) override;
  absl::Status AddLandings(const std::vector<LandedChange>& landings) override;
  absl::StatusOr<std::optional<Merged>> FindMerged(const std::string& candidate) override;
  absl::StatusOr<std::optional<Merged>> FindMergedOfAttempt(const std::string& attempt) override;
  absl::StatusOr<std::optional<Merged>> FindMergedOfTask(const std::string& task) override;
  absl::StatusOr<std::optional<Merged>> FindIntegration(const std::string& plan) override;
  absl::Status AddRollback(const Rollback& rollback) override;
  absl::Status EndRollback(const Rollback& rollback) override;
  absl::Status AbandonRollback(const std::string& commit) override;
  absl::StatusOr<std::vector<Rollback>> ListOpenRollbacks() override;
  absl::Status AnnounceIntegration(const Candidate& candidate, const std::string& state,
                                   const std::string& target, const std::string& detail) override;

  events::EventLog& event_log() { return *event_log_; }

  // Finishes queued writes and refuses further ones. Idempotent.
  void Stop() { writer_->Stop(); }

 private:
  SqliteReviewStore(std::unique_ptr<sqlite::Database> database,
                    std::unique_ptr<events::EventLog> event_log, base::Clock& clock);

  absl::Status Announce(sqlite::Transaction& transaction, const events::EventDraft& draft);
  absl::Status Mark(sqlite::Transaction& transaction, const LandedChange& landing);

  base::Clock& clock_;
  const std::unique_ptr<sqlite::Database> database_;
  const std::unique_ptr<events::EventLog> event_log_;
  const std::unique_ptr<sqlite::GroupWriter> writer_;
};

}  // namespace slipway::reviewer
