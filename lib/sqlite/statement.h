#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/id.h"
#include "lib/base/status_macros.h"
#include "lib/sqlite/row.h"

namespace slipway::sqlite {

namespace internal {

template <typename>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <typename>
inline constexpr bool kIsId = false;
template <typename Tag>
inline constexpr bool kIsId<base::Id<Tag>> = true;
template <typename>
inline constexpr bool kUnsupported = false;

}  // namespace internal

// Bytes to bind as a BLOB; plain strings are bound as TEXT.
struct Blob {
  absl::string_view bytes;
};

// One use of a prepared statement. Gives the statement back, reset and unbound, when it goes.
// Bound strings are not copied: they must live as long as this object.
class Statement final {
 public:
  // A statement borrowed from a cache clears `*busy` at the end; without one it is finalized.
  Statement(sqlite3_stmt* statement, bool* busy) : statement_(statement), busy_(busy) {}
  Statement(Statement&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)),
        busy_(std::exchange(other.busy_, nullptr)),
        mismatch_(std::move(other.mismatch_)) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Binds all parameters. INTERNAL (PARAMETER_COUNT) unless there are exactly as many values as
  // the statement has parameters.
  template <typename... Args>
  absl::Status Bind(const Args&... args) {
    RETURN_IF_ERROR(CheckCount(static_cast<int>(sizeof...(Args))));
    [[maybe_unused]] int index = 0;
    int code = SQLITE_OK;
    ((code = code == SQLITE_OK ? BindValue(++index, args) : code), ...);
    return Check(code);
  }

  // Moves to the next row; false after the last.
  absl::StatusOr<bool> Step();

  Row row() { return Row(statement_, mismatch_); }

  // The first failed read of a row.
  const absl::Status& mismatch() const { return mismatch_; }

  bool writes() const { return sqlite3_stmt_readonly(statement_) == 0; }

 private:
  // A result code of SQLite.
  template <typename T>
  int BindValue(int index, const T& value) {
    if constexpr (std::same_as<T, std::nullopt_t>) {
      return BindNull(index);
    } else if constexpr (internal::kIsOptional<T>) {
      return value.has_value() ? BindValue(index, *value) : BindNull(index);
    } else if constexpr (internal::kIsId<T>) {
      return BindText(index, value.value());
    } else if constexpr (std::same_as<T, absl::Time>) {
      return BindInt64(index, absl::ToUnixMicros(value));
    } else if constexpr (std::same_as<T, Blob>) {
      return BindBlob(index, value.bytes);
    } else if constexpr (std::integral<T>) {
      static_assert(std::signed_integral<T> || sizeof(T) < sizeof(int64_t),
                    "SQLite integers are signed: convert to int64_t first");
      return BindInt64(index, static_cast<int64_t>(value));
    } else if constexpr (std::floating_point<T>) {
      return BindDouble(index, value);
    } else if constexpr (std::convertible_to<const T&, absl::string_view>) {
      return BindText(index, value);
    } else {
      static_assert(internal::kUnsupported<T>, "no binder for this type");
    }
  }

  absl::Status CheckCount(int count) const;
  int BindNull(int index);
  int BindInt64(int index, int64_t value);
  int BindDouble(int index, double value);
  int BindText(int index, absl::string_view value);
  int BindBlob(int index, absl::string_view value);
  absl::Status Check(int code) const;

  sqlite3_stmt* statement_;
  bool* busy_;
  absl::Status mismatch_;
};

}  // namespace slipway::sqlite
