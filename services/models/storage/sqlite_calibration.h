#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/sqlite/reader.h"
#include "lib/sqlite/sql.h"
#include "lib/sqlite/transaction.h"
#include "services/models/domain/calibration.h"

namespace slipway::models {

inline constexpr sqlite::Sql kCalibrationSchema =
    "CREATE TABLE input_calibration("
    " provider TEXT NOT NULL, model TEXT NOT NULL, content TEXT NOT NULL, calls INTEGER NOT NULL,"
    " bound_tokens INTEGER NOT NULL, counted_tokens INTEGER NOT NULL,"
    " worst_per_mille INTEGER NOT NULL,"
    " PRIMARY KEY(provider, model, content)) STRICT, WITHOUT ROWID;";

// Adds a call to what is known of its model and content.
absl::Status AddSample(sqlite::Transaction& transaction, const InputSample& sample);

// All that is known.
absl::StatusOr<std::vector<InputCalibration>> ReadCalibrations(sqlite::Reader& reader);

}  // namespace slipway::models
