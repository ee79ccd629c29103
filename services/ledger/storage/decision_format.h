#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

// The bytes of the files of a DecisionLog, in the order of this machine.
namespace slipway::ledger {

// Records begin at multiples of it: what a power failure tears are sectors of the last record, not
// the end of the one before.
inline constexpr size_t kLogSector = 512;

inline constexpr uint64_t kLogFileMagic = 0x31474f4c44454353;  // Its last byte is the version.
inline constexpr uint64_t kLogRecordMagic = 0x4443524543454453;

struct LogFileHeader {
  uint64_t magic = kLogFileMagic;
  uint64_t generation = 0;
  uint64_t salt = 0;
  int64_t first = 0;   // The decision that comes first.
  uint64_t owner = 0;  // The database.
  uint64_t checksum = 0;
};

struct LogRecordHeader {
  uint64_t magic = kLogRecordMagic;
  uint64_t size = 0;  // Of what follows the header.
  uint64_t generation = 0;
  uint64_t salt = 0;
  int64_t first = 0;
  int64_t last = 0;
  uint64_t previous = 0;  // The checksum of the record before, or of the file's header.
  uint64_t checksum = 0;
};

// Goes on from `sum`, eight bytes at a time: finds what a failing disk does. Nobody else writes the
// files.
inline uint64_t LogChecksum(uint64_t sum, absl::string_view bytes) {
  constexpr uint64_t kPrime = 0x9e3779b97f4a7c15;
  while (!bytes.empty()) {
    uint64_t word = 0;
    const size_t size = std::min(bytes.size(), sizeof(word));
    std::memcpy(&word, bytes.data(), size);
    sum = (sum ^ word) * kPrime;
    sum ^= sum >> 29;
    bytes.remove_prefix(size);
  }
  return sum;
}

template <typename Header>
absl::string_view LogBytes(const Header& header) {
  return absl::string_view(reinterpret_cast<const char*>(&header), sizeof(header));
}

// The checksum of a header, and of the payload that follows it.
template <typename Header>
uint64_t LogChecksumOf(Header header, absl::string_view payload = "") {
  header.checksum = 0;
  return LogChecksum(LogChecksum(sizeof(header), LogBytes(header)), payload);
}

// False when `bytes` end before it.
template <typename Header>
bool ReadLogHeader(absl::string_view bytes, size_t offset, Header& header) {
  if (offset + sizeof(header) > bytes.size()) return false;
  std::memcpy(&header, bytes.data() + offset, sizeof(header));
  return true;
}

inline size_t LogPadded(size_t size) { return (size + kLogSector - 1) / kLogSector * kLogSector; }

}  // namespace slipway::ledger
