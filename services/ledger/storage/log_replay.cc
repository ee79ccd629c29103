#include "services/ledger/storage/log_replay.h"

#include <optional>
#include <utility>

#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/storage/rows.h"

namespace slipway::ledger {
namespace {

constexpr sqlite::Sql kSelectLogOpen = "SELECT open FROM decision_log";
constexpr sqlite::Sql kSetLogOpen = "UPDATE decision_log SET open=?";
constexpr sqlite::Sql kSelectHead =
    "SELECT " SLIPWAY_LEDGER_JOURNAL_COLUMNS " FROM journal ORDER BY sequence DESC LIMIT 1";

absl::StatusOr<LogReplay> Visit(sqlite::Reader& reader, const DecisionLog& log,
                                absl::FunctionRef<absl::Status(Changes)> visit) {
  LogReplay replay;
  ASSIGN_OR_RETURN(replay.state, SelectLogState(reader));
  replay.last = replay.state.head.sequence;
  ASSIGN_OR_RETURN(replay.found, log.ReadAfter(replay.state.head, [&](Changes changes) {
    replay.last = changes.journal.back().sequence;
    return visit(std::move(changes));
  }));
  if (replay.state.open && !replay.found.complete) return DecisionsMissing(log.database());
  return replay;
}

}  // namespace

absl::StatusOr<LogState> SelectLogState(sqlite::Reader& reader) {
  LogState state;
  ASSIGN_OR_RETURN(state.open, reader.QueryOne(kSelectLogOpen,
                                               [](const sqlite::Row& row) { return row.Bool(0); }));
  ASSIGN_OR_RETURN(std::optional<JournalEntry> head, reader.FindOne(kSelectHead, ReadJournalEntry));
  if (head.has_value()) state.head = {head->sequence, std::move(head->digest)};
  return state;
}

absl::Status SetLogOpen(sqlite::Database& database, bool open) {
  return database.Write([open](sqlite::Transaction& transaction) {
    return transaction.Execute(kSetLogOpen, open ? 1 : 0);
  });
}

absl::StatusOr<LogReplay> CompareLog(sqlite::Reader& reader, const DecisionLog& log) {
  return Visit(reader, log, [](const Changes&) { return absl::OkStatus(); });
}

absl::StatusOr<LogReplay> ReplayLog(sqlite::Transaction& transaction, const DecisionLog& log,
                                    ChangeWriter& writer) {
  ASSIGN_OR_RETURN(LogReplay replay, Visit(transaction, log, [&](Changes changes) {
                     return writer.Write(transaction, std::move(changes));
                   }));
  RETURN_IF_ERROR(writer.Flush(transaction));
  return replay;
}

}  // namespace slipway::ledger
