#include "lib/sqlite/result_code.h"

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::sqlite {
namespace {

struct Meaning {
  absl::StatusCode code;
  const char* reason;
};

Meaning MeaningOfConstraint(int extended_code) {
  switch (extended_code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return {absl::StatusCode::kAlreadyExists, "ROW_EXISTS"};
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return {absl::StatusCode::kFailedPrecondition, "FOREIGN_KEY"};
    case SQLITE_CONSTRAINT_CHECK:
      return {absl::StatusCode::kFailedPrecondition, "CHECK_FAILED"};
    default:
      return {absl::StatusCode::kInternal, "CONSTRAINT_FAILED"};
  }
}

Meaning MeaningOf(int extended_code) {
  switch (extended_code & 0xff) {
    case SQLITE_CONSTRAINT:
      return MeaningOfConstraint(extended_code);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {absl::StatusCode::kUnavailable, "DATABASE_BUSY"};
    case SQLITE_FULL:
      return {absl::StatusCode::kResourceExhausted, "DISK_FULL"};
    case SQLITE_NOMEM:
      return {absl::StatusCode::kResourceExhausted, "OUT_OF_MEMORY"};
    case SQLITE_TOOBIG:
      return {absl::StatusCode::kInvalidArgument, "VALUE_TOO_LARGE"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {absl::StatusCode::kDataLoss, "DATABASE_CORRUPT"};
    case SQLITE_READONLY:
      return {absl::StatusCode::kFailedPrecondition, "DATABASE_READ_ONLY"};
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return {absl::StatusCode::kFailedPrecondition, "DATABASE_NOT_OPENED"};
    case SQLITE_INTERRUPT:
      return {absl::StatusCode::kCancelled, "INTERRUPTED"};
    case SQLITE_IOERR:
      return {absl::StatusCode::kInternal, "DISK_IO"};
    default:
      return {absl::StatusCode::kInternal, "SQL_ERROR"};
  }
}

}  // namespace

absl::Status StatusFromCode(int extended_code, absl::string_view what, absl::string_view detail) {
  const Meaning meaning = MeaningOf(extended_code);
  return base::Error(meaning.code, meaning.reason, absl::StrCat(what, ": ", detail),
                     {{"sqlite_code", absl::StrCat(extended_code)}});
}

absl::Status StatusFromConnection(sqlite3* connection, absl::string_view what) {
  int code = sqlite3_extended_errcode(connection);
  // SQLite reports only ENOSPC as a full disk; a used-up quota means the same to an operator.
  if ((code & 0xff) == SQLITE_IOERR && sqlite3_system_errno(connection) == EDQUOT) {
    code = SQLITE_FULL;
  }
  return StatusFromCode(code, what, sqlite3_errmsg(connection));
}

}  // namespace slipway::sqlite
