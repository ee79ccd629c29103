#include "lib/sqlite/connection.h"

#include <cctype>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/sqlite/result_code.h"

namespace slipway::sqlite {
namespace {

class Privilege final {
 public:
  explicit Privilege(bool& flag) : flag_(flag), before_(flag) { flag_ = true; }
  ~Privilege() { flag_ = before_; }
  Privilege(const Privilege&) = delete;
  Privilege& operator=(const Privilege&) = delete;

 private:
  bool& flag_;
  const bool before_;
};

bool IsBlank(const char* text) {
  while (*text != '\0' && std::isspace(static_cast<unsigned char>(*text)) != 0) ++text;
  return *text == '\0';
}

}  // namespace

void Connection::ConfigureLibrary() {
  // Where SQLite is in use already it is refused, and memory is counted.
  [[maybe_unused]] static const int uncounted = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const std::string& path, int flags,
                                                             const char* vfs) {
  ConfigureLibrary();
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, vfs);
  if (handle == nullptr) return StatusFromCode(code, path, sqlite3_errstr(code));
  std::unique_ptr<Connection> connection(new Connection(handle));
  if (code != SQLITE_OK) return StatusFromConnection(handle, path);
  RETURN_IF_ERROR(connection->Configure());
  return connection;
}

absl::Status Connection::Configure() {
  sqlite3_extended_result_codes(handle_, 1);
  // "name" is an identifier or an error, never silently a string; the schema cannot be corrupted
  // through SQL and runs nothing with side effects.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_set_authorizer(handle_, &Connection::Authorize, this);
  return absl::OkStatus();
}

Connection::~Connection() {
  for (auto& [address, cached] : cache_) sqlite3_finalize(cached.statement);
  sqlite3_close_v2(handle_);
}

int Connection::Authorize(void* self, int action, const char*, const char*, const char*,
                          const char*) {
  if (static_cast<Connection*>(self)->privileged_) return SQLITE_OK;
  switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_PRAGMA:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
      return SQLITE_DENY;
    default:
      return SQLITE_OK;
  }
}

absl::StatusOr<sqlite3_stmt*> Connection::Compile(Sql sql, unsigned flags) {
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  // The size includes the terminator, which saves SQLite a copy.
  const int code = sqlite3_prepare_v3(handle_, sql.text(), static_cast<int>(sql.size() + 1), flags,
                                      &statement, &tail);
  if (code != SQLITE_OK) return StatusFromConnection(handle_, sql.text());
  if (statement == nullptr || !IsBlank(tail)) {
    sqlite3_finalize(statement);
    return base::Error(absl::StatusCode::kInternal, "SQL_ERROR",
                       absl::StrCat("must be exactly one statement: ", sql.text()));
  }
  return statement;
}

absl::StatusOr<Statement> Connection::Prepare(Sql sql) {
  Cached& cached = cache_[sql.text()];
  if (cached.busy) {
    ASSIGN_OR_RETURN(sqlite3_stmt* const fresh, Compile(sql, 0));
    return Statement(fresh, nullptr);
  }
  if (cached.statement == nullptr) {
    ASSIGN_OR_RETURN(cached.statement, Compile(sql, SQLITE_PREPARE_PERSISTENT));
  }
  cached.busy = true;
  return Statement(cached.statement, &cached.busy);
}

absl::Status Connection::Run(Sql sql) {
  const Privilege privilege(privileged_);
  ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  ASSIGN_OR_RETURN(bool more, statement.Step());
  while (more) {
    ASSIGN_OR_RETURN(more, statement.Step());
  }
  return absl::OkStatus();
}

absl::Status Connection::RunScript(const std::string& sql) {
  const Privilege privilege(privileged_);
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) {
    return absl::OkStatus();
  }
  return StatusFromConnection(handle_, sql);
}

absl::StatusOr<std::string> Connection::ReadText(const std::string& sql) {
  const Privilege privilege(privileged_);
  sqlite3_stmt* handle = nullptr;
  if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &handle, nullptr) != SQLITE_OK) {
    return StatusFromConnection(handle_, sql);
  }
  Statement statement(handle, nullptr);
  ASSIGN_OR_RETURN(const bool found, statement.Step());
  const unsigned char* text = found ? sqlite3_column_text(handle, 0) : nullptr;
  return std::string(text == nullptr ? "" : reinterpret_cast<const char*>(text));
}

}  // namespace slipway::sqlite
