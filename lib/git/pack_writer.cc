#include "lib/git/pack_writer.h"

#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "lib/base/status_macros.h"

namespace slipway::git {
namespace {

std::string BigEndian32(uint32_t value) {
  std::string bytes(4, '\0');
  for (int i = 3; i >= 0; --i, value >>= 8) bytes[i] = static_cast<char>(value & 0xff);
  return bytes;
}

constexpr unsigned kDeltaOnId = 7;

// Four bits of size after the kind, then seven a byte, lowest first.
std::string ObjectHeader(unsigned kind, size_t size) {
  std::string header;
  unsigned byte = kind << 4 | static_cast<unsigned>(size & 15);
  for (size >>= 4; size > 0; size >>= 7) {
    header += static_cast<char>(byte | 0x80);
    byte = static_cast<unsigned>(size & 0x7f);
  }
  header += static_cast<char>(byte);
  return header;
}

}  // namespace

struct PackWriter::Streams {
  Streams() : digest(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(digest, EVP_sha1(), nullptr);
    deflateInit(&zlib, 1);
  }
  ~Streams() {
    EVP_MD_CTX_free(digest);
    deflateEnd(&zlib);
  }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  EVP_MD_CTX* digest;
  z_stream zlib = {};
};

PackWriter::PackWriter(uint32_t object_count, ByteSink sink)
    : sink_(std::move(sink)),
      remaining_(object_count),
      streams_(std::make_unique<Streams>()),
      chunk_("PACK") {
  chunk_ += BigEndian32(2);
  chunk_ += BigEndian32(object_count);
}

PackWriter::~PackWriter() = default;

absl::Status PackWriter::Add(ObjectType type, absl::string_view bytes) {
  RETURN_IF_ERROR(CountObject());
  return Compress(ObjectHeader(static_cast<unsigned>(type), bytes.size()), bytes,
                  [this](absl::string_view piece) { return Append(piece); });
}

absl::Status PackWriter::AddDelta(const Oid& base, absl::string_view delta) {
  RETURN_IF_ERROR(CountObject());
  std::string head = ObjectHeader(kDeltaOnId, delta.size());
  head.append(base.bytes().data(), base.bytes().size());
  return Compress(head, delta, [this](absl::string_view piece) { return Append(piece); });
}

absl::StatusOr<std::string> PackWriter::Pack(ObjectType type, absl::string_view bytes) {
  std::string entry;
  RETURN_IF_ERROR(Compress(ObjectHeader(static_cast<unsigned>(type), bytes.size()), bytes,
                           [&entry](absl::string_view piece) {
                             entry.append(piece.data(), piece.size());
                             return absl::OkStatus();
                           }));
  return entry;
}

absl::Status PackWriter::AddPacked(absl::string_view entry) {
  RETURN_IF_ERROR(CountObject());
  return Append(entry);
}

absl::Status PackWriter::CountObject() {
  if (remaining_ == 0) return absl::InternalError("more objects than the pack announced");
  --remaining_;
  return absl::OkStatus();
}

absl::Status PackWriter::Compress(absl::string_view head, absl::string_view bytes,
                                  const ByteSink& sink) {
  RETURN_IF_ERROR(sink(head));
  z_stream& zlib = streams_->zlib;
  deflateReset(&zlib);
  char buffer[16 * 1024];
  int result = Z_OK;
  while (result != Z_STREAM_END) {
    if (zlib.avail_in == 0) {
      const size_t slice = std::min<size_t>(bytes.size(), 1u << 30);
      zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
      zlib.avail_in = static_cast<uInt>(slice);
      bytes.remove_prefix(slice);
    }
    zlib.next_out = reinterpret_cast<Bytef*>(buffer);
    zlib.avail_out = sizeof(buffer);
    result = deflate(&zlib, bytes.empty() ? Z_FINISH : Z_NO_FLUSH);
    if (result == Z_STREAM_ERROR) return absl::InternalError("deflate failed");
    RETURN_IF_ERROR(sink({buffer, sizeof(buffer) - zlib.avail_out}));
  }
  return absl::OkStatus();
}

absl::Status PackWriter::Finish() {
  if (remaining_ != 0) return absl::InternalError("fewer objects than the pack announced");
  EVP_DigestUpdate(streams_->digest, chunk_.data(), chunk_.size());
  unsigned char checksum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(streams_->digest, checksum, &size);
  const std::string last =
      std::exchange(chunk_, {}) + std::string(reinterpret_cast<const char*>(checksum), size);
  return sink_(last);
}

absl::Status PackWriter::Append(absl::string_view bytes) {
  while (!bytes.empty()) {
    const size_t size = std::min(bytes.size(), kChunkSize - chunk_.size());
    chunk_.append(bytes.data(), size);
    bytes.remove_prefix(size);
    if (chunk_.size() == kChunkSize) RETURN_IF_ERROR(Flush());
  }
  return absl::OkStatus();
}

absl::Status PackWriter::Flush() {
  EVP_DigestUpdate(streams_->digest, chunk_.data(), chunk_.size());
  const absl::Status sent = sink_(chunk_);
  chunk_.clear();
  return sent;
}

}  // namespace slipway::git
