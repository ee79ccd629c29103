#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace slipway::sqlite {

// The current row of a query; valid only inside the function it is passed to.
//
// Columns count from 0. A column that is missing, NULL (except for the optional readers) or of
// another type reads as a default value and fails the query with INTERNAL (ROW_MISMATCH).
class Row final {
 public:
  // `mismatch` receives the first failed read and must outlive the row.
  Row(sqlite3_stmt* statement, absl::Status& mismatch)
      : statement_(statement), mismatch_(mismatch) {}

  bool IsNull(int column) const;

  int64_t Int64(int column) const;
  int Int(int column) const;
  bool Bool(int column) const;
  double Double(int column) const;
  std::string Text(int column) const;
  std::string Blob(int column) const;
  absl::Time Time(int column) const;  // INTEGER microseconds since the Unix epoch.
  template <typename IdType>
  IdType Id(int column) const {
    return IdType(Text(column));
  }

  std::optional<int64_t> OptionalInt64(int column) const;
  std::optional<int> OptionalInt(int column) const;
  std::optional<bool> OptionalBool(int column) const;
  std::optional<double> OptionalDouble(int column) const;
  std::optional<std::string> OptionalText(int column) const;
  std::optional<std::string> OptionalBlob(int column) const;
  std::optional<absl::Time> OptionalTime(int column) const;
  template <typename IdType>
  std::optional<IdType> OptionalId(int column) const {
    if (IsNull(column)) return std::nullopt;
    return IdType(Text(column));
  }

 private:
  bool Has(int column, int type) const;
  void Mismatch(int column, const char* problem) const;

  sqlite3_stmt* statement_;
  absl::Status& mismatch_;
};

}  // namespace slipway::sqlite
