#include "services/ledger/storage/decision_log.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"
#include "services/ledger/domain/journal.h"
#include "services/ledger/storage/change_codec.h"
#include "services/ledger/storage/decision_format.h"

namespace slipway::ledger {
namespace {

// A file grows by this much at once, or by an eighth of what it may hold.
constexpr int64_t kGrowthMax = 1 << 20;

}  // namespace

struct DecisionLog::Content {
  struct Record {
    LogRecordHeader header;
    absl::string_view payload;
  };

  std::unique_ptr<std::string> bytes;  // On the heap: records point into it.
  bool valid = false;                  // The header is whole.
  LogFileHeader header;
  std::vector<Record> records;
  size_t end = kLogSector;  // Behind the last record.

  int64_t last() const { return records.empty() ? header.first - 1 : records.back().header.last; }
};

void DecisionLog::BeginRecord(std::string& record) { record.assign(sizeof(LogRecordHeader), '\0'); }

DecisionLog::DecisionLog(Options options, const std::string& owner)
    : options_(std::move(options)),
      in_memory_(options_.database == ":memory:"),
      owner_(LogChecksum(1, owner)) {}

DecisionLog::~DecisionLog() = default;

std::string DecisionLog::PathOf(int index) const {
  return absl::StrCat(options_.database, "-decisions", index);
}

absl::StatusOr<std::string> DecisionLog::ReadFile(int index) const {
  if (in_memory_) return std::string();
  ASSIGN_OR_RETURN(const bool exists, LogFile::Exists(PathOf(index), options_.vfs));
  if (!exists) return std::string();
  ASSIGN_OR_RETURN(const std::unique_ptr<LogFile> file,
                   LogFile::OpenToRead(PathOf(index), options_.vfs));
  return file->ReadAll();
}

absl::StatusOr<DecisionLog::Content> DecisionLog::Parse(std::string bytes) const {
  Content content = {.bytes = std::make_unique<std::string>(std::move(bytes))};
  const std::string& all = *content.bytes;
  LogFileHeader& header = content.header;
  content.valid = ReadLogHeader(all, 0, header) && header.magic == kLogFileMagic &&
                  header.checksum == LogChecksumOf(header);
  if (!content.valid) return content;
  if (header.owner != owner_) return DecisionsForeign(options_.database);
  uint64_t previous = header.checksum;
  LogRecordHeader record;
  while (ReadLogHeader(all, content.end, record) && record.magic == kLogRecordMagic &&
         record.generation == header.generation && record.salt == header.salt &&
         record.size <= all.size() - content.end - sizeof(record)) {
    const absl::string_view payload(all.data() + content.end + sizeof(record), record.size);
    if (record.checksum != LogChecksumOf(record, payload)) break;
    if (record.previous != previous || record.first != content.last() + 1 ||
        record.last < record.first) {
      return DecisionsCorrupt(options_.database, record.first, "it does not follow the one before");
    }
    content.records.push_back({record, payload});
    previous = record.checksum;
    content.end += LogPadded(sizeof(record) + record.size);
  }
  return content;
}

// Only the last record can be torn: one that is whole and newer than all that is known has followed
// one that was acknowledged.
absl::Status DecisionLog::CheckNothingFollows(const Content& content, int64_t known) const {
  const std::string& all = *content.bytes;
  LogRecordHeader record;
  for (size_t at = content.end; ReadLogHeader(all, at, record); at += kLogSector) {
    if (record.magic != kLogRecordMagic || record.last <= known ||
        record.size > all.size() - at - sizeof(record)) {
      continue;
    }
    const absl::string_view payload(all.data() + at + sizeof(record), record.size);
    if (record.checksum != LogChecksumOf(record, payload)) continue;
    return DecisionsCorrupt(options_.database, known + 1, "it is damaged, and later ones are not");
  }
  return absl::OkStatus();
}

absl::Status DecisionLog::Visit(const Content& content, JournalHead& head,
                                absl::FunctionRef<absl::Status(Changes)> visit) const {
  for (const Content::Record& record : content.records) {
    if (record.header.last <= head.sequence) continue;
    absl::string_view payload = record.payload;
    while (!payload.empty()) {
      absl::StatusOr<Changes> taken = TakeChanges(payload);
      if (!taken.ok() || taken->empty()) {
        return DecisionsCorrupt(options_.database, head.sequence + 1, "it cannot be read");
      }
      Changes& changes = *taken;
      if (changes.journal.back().sequence <= head.sequence) continue;
      for (const JournalEntry& entry : changes.journal) {
        if (entry.sequence != head.sequence + 1 ||
            entry.digest != Journal::DigestOf(entry, head.digest)) {
          return DecisionsCorrupt(
              options_.database, entry.sequence,
              absl::StrCat("it does not go on from line ", head.sequence, " of the journal"));
        }
        head = {entry.sequence, entry.digest};
      }
      RETURN_IF_ERROR(visit(std::move(changes)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<DecisionLog::Found> DecisionLog::ReadAfter(
    JournalHead head, absl::FunctionRef<absl::Status(Changes)> visit) const {
  Found found = {.complete = true};
  std::vector<Content> contents;
  for (int index = 0; index < 2; ++index) {
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(index));
    found.complete = found.complete && !bytes.empty();
    ASSIGN_OR_RETURN(Content content, Parse(std::move(bytes)));
    if (content.valid) found.generation = std::max(found.generation, content.header.generation);
    contents.push_back(std::move(content));
  }
  std::sort(contents.begin(), contents.end(), [](const Content& a, const Content& b) {
    return a.header.generation < b.header.generation;
  });
  int64_t known = head.sequence;
  for (const Content& content : contents) {
    if (!content.valid) continue;
    if (content.header.first > known + 1) {
      return DecisionsCorrupt(options_.database, known + 1, "it is missing");
    }
    known = std::max(known, content.last());
  }
  for (const Content& content : contents) RETURN_IF_ERROR(CheckNothingFollows(content, known));
  for (const Content& content : contents) {
    if (!content.valid) continue;
    RETURN_IF_ERROR(Visit(content, head, [&](Changes changes) {
      ++found.decisions;
      return visit(std::move(changes));
    }));
  }
  return found;
}

absl::Status DecisionLog::WriteHeader(int index, uint64_t generation, int64_t first) {
  LogFileHeader header = {.generation = generation, .first = first, .owner = owner_};
  sqlite3_randomness(sizeof(header.salt), &header.salt);
  header.checksum = LogChecksumOf(header);
  RETURN_IF_ERROR(files_[index]->Write(0, LogBytes(header)));
  RETURN_IF_ERROR(files_[index]->Sync());
  sizes_[index] = std::max(sizes_[index], static_cast<int64_t>(sizeof(header)));
  generation_ = generation;
  salt_ = header.salt;
  previous_ = header.checksum;
  end_ = kLogSector;
  return absl::OkStatus();
}

absl::Status DecisionLog::Start(uint64_t generation, int64_t sequence) {
  for (int index = 0; index < 2; ++index) {
    if (in_memory_) {
      files_[index] = LogFile::InMemory();
    } else {
      ASSIGN_OR_RETURN(files_[index], LogFile::Open(PathOf(index), options_.vfs));
    }
    ASSIGN_OR_RETURN(sizes_[index], files_[index]->Size());
  }
  // Both, from the older one on: from now on a file that is missing is an error.
  for (uint64_t next : {generation + 1, generation + 2}) {
    RETURN_IF_ERROR(WriteHeader(static_cast<int>(next % 2), next, sequence + 1));
  }
  last_ = other_last_ = sequence;
  return absl::OkStatus();
}

bool DecisionLog::HasRoom(const std::string& record) const {
  return end_ == kLogSector ||
         end_ + static_cast<int64_t>(LogPadded(record.size())) <= options_.bytes_max;
}

absl::Status DecisionLog::Turn() {
  const uint64_t next = generation_ + 1;
  const int index = static_cast<int>(next % 2);
  // A record that was larger than all of this does not keep its space.
  if (sizes_[index] > options_.bytes_max) {
    RETURN_IF_ERROR(files_[index]->Truncate(options_.bytes_max));
    sizes_[index] = options_.bytes_max;
  }
  RETURN_IF_ERROR(WriteHeader(index, next, last_ + 1));
  other_last_ = last_;
  return absl::OkStatus();
}

absl::Status DecisionLog::Append(int64_t first, int64_t last, std::string& record) {
  const int index = static_cast<int>(generation_ % 2);
  LogRecordHeader header = {.size = record.size() - sizeof(LogRecordHeader),
                            .generation = generation_,
                            .salt = salt_,
                            .first = first,
                            .last = last,
                            .previous = previous_};
  header.checksum =
      LogChecksumOf(header, absl::string_view(record).substr(sizeof(header), header.size));
  std::memcpy(record.data(), &header, sizeof(header));
  record.resize(LogPadded(record.size()), '\0');
  const int64_t end = end_ + static_cast<int64_t>(record.size());
  if (end > sizes_[index]) {
    // A sync of its own, so that those that callers wait for have no size of the file to commit.
    const int64_t step = std::clamp<int64_t>(options_.bytes_max / 8, 8 * kLogSector, kGrowthMax);
    const int64_t size = (end + step - 1) / step * step;
    const int64_t from = sizes_[index];
    RETURN_IF_ERROR(
        files_[index]->Write(from, std::string(static_cast<size_t>(size - from), '\0')));
    RETURN_IF_ERROR(files_[index]->Sync());
    sizes_[index] = size;
  }
  RETURN_IF_ERROR(files_[index]->Write(end_, record));
  RETURN_IF_ERROR(files_[index]->Sync());
  end_ = end;
  previous_ = header.checksum;
  last_ = last;
  return absl::OkStatus();
}

absl::Status DecisionLog::Remove() {
  for (int index = 0; index < 2; ++index) {
    files_[index].reset();
    if (!in_memory_) RETURN_IF_ERROR(LogFile::Delete(PathOf(index), options_.vfs));
  }
  return absl::OkStatus();
}

}  // namespace slipway::ledger
