#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/sqlite/reader.h"
#include "lib/sqlite/row.h"
#include "services/planner/domain/plan_store.h"

namespace slipway::planner {

// Rows as values. Columns in the order of the statements in rows.cc.
absl::StatusOr<Project> ReadProject(const sqlite::Row& row);
PlanRow ReadPlan(const sqlite::Row& row);

// PROJECT_UNKNOWN and PLAN_UNKNOWN when there is no such row.
absl::StatusOr<Project> SelectProject(sqlite::Reader& reader, const std::string& id);
absl::StatusOr<PlanRow> SelectPlan(sqlite::Reader& reader, const std::string& project,
                                   const std::string& id);

absl::StatusOr<std::optional<Draft>> SelectDraft(sqlite::Reader& reader, int64_t plan);

}  // namespace slipway::planner
