#pragma once

#include <sqlite3.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace slipway::sqlite {

// The status of an extended SQLite result code. `what` says what was attempted, `detail` is
// SQLite's own text. Reasons:
//   ALREADY_EXISTS       ROW_EXISTS           a UNIQUE or PRIMARY KEY constraint
//   FAILED_PRECONDITION  FOREIGN_KEY          a row that is referred to is missing or still needed
//   FAILED_PRECONDITION  CHECK_FAILED         a CHECK constraint
//   FAILED_PRECONDITION  DATABASE_READ_ONLY   DATABASE_NOT_OPENED
//   RESOURCE_EXHAUSTED   DISK_FULL            also when the file's own size limit is reached
//   RESOURCE_EXHAUSTED   OUT_OF_MEMORY
//   INVALID_ARGUMENT     VALUE_TOO_LARGE
//   UNAVAILABLE          DATABASE_BUSY        another process holds the lock; retry
//   DATA_LOSS            DATABASE_CORRUPT     not a database, or a damaged one
//   CANCELLED            INTERRUPTED
//   INTERNAL             CONSTRAINT_FAILED    any other constraint: NOT NULL, column type
//   INTERNAL             DISK_IO              a read, write or sync failed
//   INTERNAL             SQL_ERROR            everything else
absl::Status StatusFromCode(int extended_code, absl::string_view what, absl::string_view detail);

// The same for the last failed call on `connection`.
absl::Status StatusFromConnection(sqlite3* connection, absl::string_view what);

}  // namespace slipway::sqlite
