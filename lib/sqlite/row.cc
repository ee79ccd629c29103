#include "lib/sqlite/row.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::sqlite {
namespace {

const char* TypeName(int type) {
  switch (type) {
    case SQLITE_INTEGER:
      return "INTEGER";
    case SQLITE_FLOAT:
      return "REAL";
    case SQLITE_TEXT:
      return "TEXT";
    case SQLITE_BLOB:
      return "BLOB";
    default:
      return "NULL";
  }
}

}  // namespace

bool Row::IsNull(int column) const {
  if (column < 0 || column >= sqlite3_column_count(statement_)) {
    Mismatch(column, "no such column");
    return true;
  }
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

bool Row::Has(int column, int type) const {
  if (column < 0 || column >= sqlite3_column_count(statement_)) {
    Mismatch(column, "no such column");
    return false;
  }
  const int actual = sqlite3_column_type(statement_, column);
  if (actual == type) return true;
  Mismatch(column, absl::StrCat("is ", TypeName(actual), ", read as ", TypeName(type)).c_str());
  return false;
}

void Row::Mismatch(int column, const char* problem) const {
  if (!mismatch_.ok()) return;
  mismatch_ =
      base::Error(absl::StatusCode::kInternal, "ROW_MISMATCH",
                  absl::StrCat("column ", column, " ", problem, ": ", sqlite3_sql(statement_)));
}

int64_t Row::Int64(int column) const {
  return Has(column, SQLITE_INTEGER) ? sqlite3_column_int64(statement_, column) : 0;
}

int Row::Int(int column) const {
  const int64_t value = Int64(column);
  if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
    Mismatch(column, "does not fit into 32 bits");
    return 0;
  }
  return static_cast<int>(value);
}

bool Row::Bool(int column) const { return Int64(column) != 0; }

double Row::Double(int column) const {
  return Has(column, SQLITE_FLOAT) ? sqlite3_column_double(statement_, column) : 0;
}

std::string Row::Text(int column) const {
  if (!Has(column, SQLITE_TEXT)) return "";
  const unsigned char* text = sqlite3_column_text(statement_, column);
  return std::string(reinterpret_cast<const char*>(text),
                     static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

std::string Row::Blob(int column) const {
  if (!Has(column, SQLITE_BLOB)) return "";
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return "";
  return std::string(static_cast<const char*>(bytes),
                     static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

absl::Time Row::Time(int column) const { return absl::FromUnixMicros(Int64(column)); }

std::optional<int64_t> Row::OptionalInt64(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Int64(column);
}

std::optional<int> Row::OptionalInt(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Int(column);
}

std::optional<bool> Row::OptionalBool(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Bool(column);
}

std::optional<double> Row::OptionalDouble(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Double(column);
}

std::optional<std::string> Row::OptionalText(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Text(column);
}

std::optional<std::string> Row::OptionalBlob(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Blob(column);
}

std::optional<absl::Time> Row::OptionalTime(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Time(column);
}

}  // namespace slipway::sqlite
