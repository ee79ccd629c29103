#include "services/dispatcher/storage/log_record.h"

#include <zlib.h>

#include <cstring>

#include "lib/base/error.h"

namespace slipway::dispatcher {
namespace {

constexpr uint32_t kMagic = 0x31474c53;  // "SLG1" on disk.
constexpr size_t kHeaderBytes = 28;
constexpr size_t kSizeBytes = 8;
constexpr int kCompression = 3;  // Text shrinks to a tenth; more effort gains little.

template <typename T>
void Put(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

template <typename T>
T Take(absl::string_view& in) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<unsigned char>(in[i])) << (8 * i);
  }
  in.remove_prefix(sizeof(T));
  return value;
}

uint32_t ChecksumOf(absl::string_view bytes) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

std::string Encode(int64_t offset, LogLoss loss, absl::string_view data) {
  std::string record;
  record.reserve(kHeaderBytes + data.size());
  Put(record, kMagic);
  Put(record, static_cast<uint32_t>(loss));
  Put(record, static_cast<uint64_t>(offset));
  Put(record, static_cast<uint32_t>(data.size()));
  Put(record, ChecksumOf(data));
  Put(record, ChecksumOf(record));
  record.append(data.data(), data.size());
  return record;
}

}  // namespace

std::string EncodeLogRecord(int64_t offset, absl::string_view data) {
  return Encode(offset, LogLoss::kNone, data);
}

std::string EncodeLossRecord(int64_t offset, int64_t lost_bytes, LogLoss loss) {
  std::string count;
  Put(count, static_cast<uint64_t>(lost_bytes));
  return Encode(offset, loss, count);
}

LogScan ScanLogRecords(absl::string_view bytes, int64_t offset) {
  LogScan scan;
  while (bytes.size() - scan.whole_bytes >= kHeaderBytes) {
    absl::string_view header = bytes.substr(scan.whole_bytes, kHeaderBytes);
    const uint32_t expected = ChecksumOf(header.substr(0, kHeaderBytes - sizeof(uint32_t)));
    const bool is_ours = Take<uint32_t>(header) == kMagic;
    const auto loss = Take<uint32_t>(header);
    const auto begin = static_cast<int64_t>(Take<uint64_t>(header));
    const auto size = Take<uint32_t>(header);
    const auto checksum = Take<uint32_t>(header);
    if (!is_ours || Take<uint32_t>(header) != expected || loss > kLogLossMax || begin != offset) {
      break;
    }
    LogRecord record{.offset = begin,
                     .loss = static_cast<LogLoss>(loss),
                     .position = scan.whole_bytes + kHeaderBytes};
    absl::string_view data = bytes.substr(record.position, size);
    if (data.size() < size || ChecksumOf(data) != checksum) {
      if (record.loss == LogLoss::kNone) scan.torn_bytes = size;
      break;
    }
    scan.whole_bytes = record.position + size;
    int64_t length = size;
    if (record.loss != LogLoss::kNone) {
      if (size != sizeof(uint64_t)) break;
      length = static_cast<int64_t>(Take<uint64_t>(data));
    }
    record.end = offset = begin + length;
    scan.records.push_back(record);
  }
  return scan;
}

std::string CompressSegment(absl::string_view records) {
  std::string out;
  Put(out, static_cast<uint64_t>(records.size()));
  uLongf size = compressBound(static_cast<uLong>(records.size()));
  out.resize(kSizeBytes + size);
  // Fails for want of room alone, of which compressBound leaves enough.
  compress2(reinterpret_cast<Bytef*>(out.data()) + kSizeBytes, &size,
            reinterpret_cast<const Bytef*>(records.data()), static_cast<uLong>(records.size()),
            kCompression);
  out.resize(kSizeBytes + size);
  return out;
}

absl::StatusOr<std::string> DecompressSegment(absl::string_view compressed) {
  const absl::Status damaged = base::Error(absl::StatusCode::kDataLoss, "LOG_DAMAGED",
                                           "a segment of a log is not as it was written");
  if (compressed.size() < kSizeBytes) return damaged;
  const auto expected = Take<uint64_t>(compressed);
  if (expected > kSegmentRawBytesMax) return damaged;
  std::string records(expected, '\0');
  uLongf size = static_cast<uLongf>(expected);
  const int result = uncompress(reinterpret_cast<Bytef*>(records.data()), &size,
                                reinterpret_cast<const Bytef*>(compressed.data()),
                                static_cast<uLong>(compressed.size()));
  if (result != Z_OK || size != expected) return damaged;
  return records;
}

}  // namespace slipway::dispatcher
