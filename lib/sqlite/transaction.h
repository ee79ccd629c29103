#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "lib/sqlite/reader.h"

namespace slipway::sqlite {

// A write transaction: all of its changes become visible and durable at once, or none. Made only
// by Database::Write and only there can anything be written. Its queries see its own changes.
class Transaction final : public Reader {
 public:
  // Runs a statement; rows it may return are dropped.
  template <typename... Args>
  absl::Status Execute(Sql sql, const Args&... args) {
    return ForEach(
        sql, [](const Row&) {}, args...);
  }

  // Rows changed by the last INSERT, UPDATE or DELETE that has run to its end.
  int64_t changes() { return connection().changes(); }

  // The key of the last row inserted into a table with an INTEGER PRIMARY KEY.
  int64_t last_insert_rowid() { return connection().last_insert_rowid(); }

  // Runs `step`; when it fails its changes, and only its, are undone. Returns what it returned.
  absl::Status Nested(absl::FunctionRef<absl::Status()> step);

 private:
  friend class Database;
  explicit Transaction(Connection& connection) : Reader(connection, /*may_write=*/true) {}
};

}  // namespace slipway::sqlite
