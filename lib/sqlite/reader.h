#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/status_macros.h"
#include "lib/sqlite/connection.h"
#include "lib/sqlite/row.h"
#include "lib/sqlite/sql.h"

namespace slipway::sqlite {

namespace internal {

template <typename T>
struct Unwrapped {
  using Type = T;
  static constexpr bool kFallible = false;
};
template <typename T>
struct Unwrapped<absl::StatusOr<T>> {
  using Type = T;
  static constexpr bool kFallible = true;
};

template <typename Read>
using ReadResult = Unwrapped<std::decay_t<std::invoke_result_t<Read&, const Row&>>>;
template <typename Read>
using ReadValue = typename ReadResult<Read>::Type;

}  // namespace internal

// Queries against one consistent state of the database. Lives only inside the function that
// Database::Read or Database::Write runs, on that thread.
//
// `read` turns a row into a value: T(const Row&) or StatusOr<T>(const Row&). `args` fill the
// parameters in order; their number must match. Statements that write fail with INTERNAL
// (WRITE_OUTSIDE_TRANSACTION) unless this is a Transaction.
class Reader {
 public:
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // All rows. The statement needs a LIMIT unless something else bounds the result.
  template <typename Read, typename... Args>
  absl::StatusOr<std::vector<internal::ReadValue<Read>>> Query(Sql sql, Read read,
                                                               const Args&... args) {
    std::vector<internal::ReadValue<Read>> values;
    RETURN_IF_ERROR(Collect(sql, read, values, args...));
    return values;
  }

  // The only row, or nothing. More than one is INTERNAL (ROW_COUNT).
  template <typename Read, typename... Args>
  absl::StatusOr<std::optional<internal::ReadValue<Read>>> FindOne(Sql sql, Read read,
                                                                   const Args&... args) {
    std::vector<internal::ReadValue<Read>> values;
    RETURN_IF_ERROR(Collect(sql, read, values, args...));
    if (values.size() > 1) return RowCountError(sql, values.size());
    std::optional<internal::ReadValue<Read>> value;
    if (!values.empty()) value.emplace(std::move(values.front()));
    return value;
  }

  // The only row. Another number of rows is INTERNAL (ROW_COUNT).
  template <typename Read, typename... Args>
  absl::StatusOr<internal::ReadValue<Read>> QueryOne(Sql sql, Read read, const Args&... args) {
    std::vector<internal::ReadValue<Read>> values;
    RETURN_IF_ERROR(Collect(sql, read, values, args...));
    if (values.size() != 1) return RowCountError(sql, values.size());
    return std::move(values.front());
  }

  // Calls `visit`, void(const Row&) or Status(const Row&), for each row until one fails.
  template <typename Visit, typename... Args>
  absl::Status ForEach(Sql sql, Visit visit, const Args&... args) {
    ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
    RETURN_IF_ERROR(statement.Bind(args...));
    return Run(statement, [&visit](const Row& row) -> absl::Status {
      if constexpr (std::is_void_v<std::invoke_result_t<Visit&, const Row&>>) {
        visit(row);
        return absl::OkStatus();
      } else {
        return visit(row);
      }
    });
  }

 protected:
  friend class Database;
  // Without a transaction, each statement is one by itself.
  Reader(Connection& connection, bool may_write, bool in_transaction = true)
      : connection_(connection), may_write_(may_write), in_transaction_(in_transaction) {}
  ~Reader() = default;

  Connection& connection() { return connection_; }
  absl::StatusOr<Statement> Prepare(Sql sql);
  static absl::Status Run(Statement& statement, absl::FunctionRef<absl::Status(const Row&)> visit);

 private:
  template <typename Read, typename... Args>
  absl::Status Collect(Sql sql, Read& read, std::vector<internal::ReadValue<Read>>& values,
                       const Args&... args) {
    return ForEach(
        sql,
        [&](const Row& row) -> absl::Status {
          if constexpr (internal::ReadResult<Read>::kFallible) {
            ASSIGN_OR_RETURN(auto value, read(row));
            values.push_back(std::move(value));
          } else {
            values.push_back(read(row));
          }
          return absl::OkStatus();
        },
        args...);
  }

  static absl::Status RowCountError(Sql sql, size_t count);

  Connection& connection_;
  const bool may_write_;
  const bool in_transaction_;
};

}  // namespace slipway::sqlite
