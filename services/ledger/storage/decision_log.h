#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/ledger/domain/changes.h"
#include "services/ledger/storage/log_file.h"

namespace slipway::ledger {

// The last line of a journal: what a decision goes on from.
struct JournalHead {
  int64_t sequence = 0;
  std::string digest;
};

// Decisions that are acknowledged and may not be in the tables yet, in two files beside the
// database that take turns: while one is written, what is in the other reaches the tables, and
// then the other is begun again. So the log is bounded, is written in place on blocks that its
// files have already, and a sync of it has no size of a file to commit.
//
// Decisions are numbered by the lines of the journal that they add. A file begins with its
// generation and the number that it goes on from. A record holds what one sync made durable, and is
// known by checksums that cover its bytes and the record before. The last record may be torn, and
// is then no part of the log; anything else that does not fit is DATA_LOSS (DECISIONS_CORRUPT).
//
// Not thread-safe.
class DecisionLog final {
 public:
  struct Options {
    std::string database;       // Path; or ":memory:", then the log is memory, too.
    const char* vfs = nullptr;  // As of Database.
    // Of each file. Twice this has to be read at a start after a crash, a fraction of a second, and
    // it is what may wait for the tables: some 8,000 decisions of 2 kB each.
    int64_t bytes_max = 8 << 20;
  };

  // What ReadAfter found.
  struct Found {
    int64_t decisions = 0;    // After the head.
    uint64_t generation = 0;  // The newest.
    bool complete = false;    // Both files are there.
  };

  // Begins `record` anew: room for what Append puts there.
  static void BeginRecord(std::string& record);

  // `owner` is what the database is known by.
  DecisionLog(Options options, const std::string& owner);
  ~DecisionLog();
  DecisionLog(const DecisionLog&) = delete;
  DecisionLog& operator=(const DecisionLog&) = delete;

  const std::string& database() const { return options_.database; }

  // Calls `visit` with the decisions after `head`, in order, and writes nothing. Fails with
  // DecisionsCorrupt, also when the first does not go on from `head`, DecisionsForeign, what
  // `visit` fails with, or an error of the disk.
  absl::StatusOr<Found> ReadAfter(JournalHead head,
                                  absl::FunctionRef<absl::Status(Changes)> visit) const;

  // Begins the log after `sequence` in a generation above `generation`: every decision in its files
  // is in tables that are durable.
  absl::Status Start(uint64_t generation, int64_t sequence);

  // Whether a record of this size may follow in the file; else Turn comes first.
  bool HasRoom(const std::string& record) const;

  // Up to which decision the tables have to be durable before Turn.
  int64_t turn_needs() const { return other_last_; }

  // Goes on in the other file.
  absl::Status Turn();

  // Returns when `record`, which BeginRecord began and AppendChanges filled with the decisions from
  // `first` to `last`, is durable. After a failure nothing more may be appended.
  absl::Status Append(int64_t first, int64_t last, std::string& record);

  // Removes the files: all decisions are in tables that are durable.
  absl::Status Remove();

 private:
  struct Content;

  std::string PathOf(int index) const;
  absl::StatusOr<std::string> ReadFile(int index) const;
  absl::StatusOr<Content> Parse(std::string bytes) const;
  absl::Status CheckNothingFollows(const Content& content, int64_t known) const;
  absl::Status Visit(const Content& content, JournalHead& head,
                     absl::FunctionRef<absl::Status(Changes)> visit) const;
  absl::Status WriteHeader(int index, uint64_t generation, int64_t first);

  const Options options_;
  const bool in_memory_;
  const uint64_t owner_;
  std::unique_ptr<LogFile> files_[2];
  int64_t sizes_[2] = {};
  uint64_t generation_ = 0;  // Its parity is the file.
  uint64_t salt_ = 0;        // Of the generation: keeps what earlier ones have left apart.
  uint64_t previous_ = 0;    // The checksum of the last record.
  int64_t end_ = 0;          // Where the next record goes.
  int64_t last_ = 0;         // The last decision.
  int64_t other_last_ = 0;   // The last one in the other file.
};

}  // namespace slipway::ledger
