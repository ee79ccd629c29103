#include "lib/sqlite/statement.h"

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/sqlite/result_code.h"

namespace slipway::sqlite {

Statement::~Statement() {
  if (statement_ == nullptr) return;
  if (busy_ == nullptr) {
    sqlite3_finalize(statement_);
    return;
  }
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  *busy_ = false;
}

absl::StatusOr<bool> Statement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return StatusFromConnection(sqlite3_db_handle(statement_), sqlite3_sql(statement_));
}

absl::Status Statement::CheckCount(int count) const {
  const int expected = sqlite3_bind_parameter_count(statement_);
  if (expected == count) return absl::OkStatus();
  return base::Error(absl::StatusCode::kInternal, "PARAMETER_COUNT",
                     absl::StrCat("the statement has ", expected, " parameters, ", count,
                                  " values were given: ", sqlite3_sql(statement_)));
}

int Statement::BindNull(int index) { return sqlite3_bind_null(statement_, index); }

int Statement::BindInt64(int index, int64_t value) {
  return sqlite3_bind_int64(statement_, index, value);
}

int Statement::BindDouble(int index, double value) {
  return sqlite3_bind_double(statement_, index, value);
}

int Statement::BindText(int index, absl::string_view value) {
  // A null pointer would bind NULL; an empty view may hold one.
  const char* data = value.data() == nullptr ? "" : value.data();
  return sqlite3_bind_text64(statement_, index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
}

int Statement::BindBlob(int index, absl::string_view value) {
  if (value.empty()) return sqlite3_bind_zeroblob(statement_, index, 0);
  return sqlite3_bind_blob64(statement_, index, value.data(), value.size(), SQLITE_STATIC);
}

absl::Status Statement::Check(int code) const {
  if (code == SQLITE_OK) return absl::OkStatus();
  return StatusFromConnection(sqlite3_db_handle(statement_), sqlite3_sql(statement_));
}

}  // namespace slipway::sqlite
