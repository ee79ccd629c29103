#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/events/event_log.h"
#include "lib/sqlite/database.h"
#include "lib/sqlite/transaction.h"
#include "services/planner/domain/plan_store.h"

namespace slipway::planner {

// A PlanStore in a SQLite database that was opened with kMigrations. The collaborators must outlive
// the store.
class SqlitePlanStore final : public PlanStore {
 public:
  SqlitePlanStore(sqlite::Database& database, events::EventLog& log, base::Clock& clock)
      : database_(database), log_(log), clock_(clock) {}

  absl::StatusOr<Project> CreateProject(const Project& project, const std::string& request_id,
                                        const Event& event) override;
  absl::StatusOr<Project> UpdateProject(const Project& project, const Event& event) override;
  absl::StatusOr<Project> GetProject(const std::string& id) override;
  absl::StatusOr<std::vector<Project>> ListProjects(const std::string& after, bool archived,
                                                    int limit) override;

  absl::StatusOr<std::optional<PlanHead>> FindPlanOfRequest(const std::string& project,
                                                            const std::string& request_id) override;
  absl::StatusOr<PlanHead> CreatePlan(const NewPlan& plan) override;
  absl::StatusOr<PlanHead> ChangePlan(const std::string& project, const std::string& id,
                                      ChangePlanFn change) override;

  absl::StatusOr<PlanHead> GetHead(const std::string& project, const std::string& id) override;
  absl::StatusOr<std::string> GetSpec(const std::string& project, const std::string& id) override;
  absl::StatusOr<PlanContent> GetContent(const std::string& project, const std::string& id,
                                         int version) override;
  absl::StatusOr<Draft> GetDraft(const std::string& project, const std::string& id) override;
  absl::StatusOr<Project> GetApprovedProject(const std::string& project,
                                             const std::string& id) override;
  absl::StatusOr<std::vector<PlanRow>> ListPlans(const PlanQuery& query) override;
  absl::StatusOr<std::vector<PlanHead>> ListOrders() override;

  absl::StatusOr<std::string> GetCursor(const std::string& log) override;
  absl::Status SetCursor(const std::string& log, const std::string& token) override;

 private:
  absl::Status AppendEvents(sqlite::Transaction& transaction, const std::vector<Event>& events);
  absl::StatusOr<PlanHead> InsertPlan(sqlite::Transaction& transaction, const NewPlan& plan);
  absl::Status StoreChange(sqlite::Transaction& transaction, const PlanRow& stored,
                           const PlanChange& change);

  sqlite::Database& database_;
  events::EventLog& log_;
  base::Clock& clock_;
};

}  // namespace slipway::planner
