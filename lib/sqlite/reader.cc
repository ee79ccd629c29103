#include "lib/sqlite/reader.h"

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::sqlite {

absl::StatusOr<Statement> Reader::Prepare(Sql sql) {
  // Some failures (a full disk, no memory) make SQLite roll back on its own; without this check
  // the following statements would commit one by one.
  if (in_transaction_ && !connection_.in_transaction()) {
    return base::Error(absl::StatusCode::kAborted, "TRANSACTION_ROLLED_BACK",
                       "an earlier failure has rolled this transaction back");
  }
  ASSIGN_OR_RETURN(Statement statement, connection_.Prepare(sql));
  if (statement.writes() && !may_write_) {
    return base::Error(absl::StatusCode::kInternal, "WRITE_OUTSIDE_TRANSACTION",
                       absl::StrCat("a statement that writes needs Database::Write: ", sql.text()));
  }
  return statement;
}

absl::Status Reader::Run(Statement& statement, absl::FunctionRef<absl::Status(const Row&)> visit) {
  while (true) {
    ASSIGN_OR_RETURN(const bool found, statement.Step());
    if (!found) return absl::OkStatus();
    RETURN_IF_ERROR(visit(statement.row()));
    RETURN_IF_ERROR(statement.mismatch());
  }
}

absl::Status Reader::RowCountError(Sql sql, size_t count) {
  return base::Error(absl::StatusCode::kInternal, "ROW_COUNT",
                     absl::StrCat(count, " rows where one was expected: ", sql.text()));
}

}  // namespace slipway::sqlite
