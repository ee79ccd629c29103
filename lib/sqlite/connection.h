#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/sqlite/sql.h"
#include "lib/sqlite/statement.h"

namespace slipway::sqlite {

// One SQLite connection with its prepared statements. Used by one thread at a time.
//
// Statements from Prepare can neither begin or end transactions nor attach files nor set PRAGMAs;
// those belong to this library and go through Run and RunScript.
class Connection final {
 public:
  // Lets SQLite not count its memory, for which each allocation of every thread would take one
  // mutex. To be called before anything else of SQLite, once or more.
  static void ConfigureLibrary();

  // `flags` and `vfs` as for sqlite3_open_v2.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const std::string& path, int flags,
                                                          const char* vfs = nullptr);

  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // A statement ready to bind: from the cache or, when that one is in use, a fresh one.
  absl::StatusOr<Statement> Prepare(Sql sql);

  // Runs one statement of this library to its end.
  absl::Status Run(Sql sql);

  // Runs any number of statements of this library.
  absl::Status RunScript(const std::string& sql);

  // The first column of the first row of a query of this library.
  absl::StatusOr<std::string> ReadText(const std::string& sql);

  bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  int64_t changes() const { return sqlite3_changes64(handle_); }
  int64_t last_insert_rowid() const { return sqlite3_last_insert_rowid(handle_); }
  sqlite3* handle() { return handle_; }

 private:
  struct Cached {
    sqlite3_stmt* statement = nullptr;
    bool busy = false;
  };

  explicit Connection(sqlite3* handle) : handle_(handle) {}
  absl::Status Configure();
  absl::StatusOr<sqlite3_stmt*> Compile(Sql sql, unsigned flags);
  static int Authorize(void* self, int action, const char*, const char*, const char*, const char*);

  sqlite3* handle_;
  bool privileged_ = false;
  // By the literal's address; the program has only so many literals.
  std::unordered_map<const char*, Cached> cache_;
};

}  // namespace slipway::sqlite
