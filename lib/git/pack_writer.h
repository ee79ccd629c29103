#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/git/object_source.h"
#include "lib/git/oid.h"

namespace slipway::git {

// Takes the next bytes of a pack; a failure ends the writing.
using ByteSink = std::function<absl::Status(absl::string_view chunk)>;

// Streams a pack of whole objects, compressed at zlib level 1, without deltas: the bytes go to the
// sink in chunks of kChunkSize (the last one is shorter). Not thread-safe.
class PackWriter final {
 public:
  static constexpr size_t kChunkSize = 128 * 1024;

  // Exactly `object_count` objects must be added before Finish.
  PackWriter(uint32_t object_count, ByteSink sink);
  ~PackWriter();

  absl::Status Add(ObjectType type, absl::string_view bytes);

  // Adds an object as a delta on another one that the reader has.
  absl::Status AddDelta(const Oid& base, absl::string_view delta);

  // The object as a pack holds it; adds nothing. The same bytes each time.
  absl::StatusOr<std::string> Pack(ObjectType type, absl::string_view bytes);

  // Adds what Pack has returned, of any writer.
  absl::Status AddPacked(absl::string_view entry);

  // Writes the checksum and the last chunk.
  absl::Status Finish();

 private:
  struct Streams;

  absl::Status Compress(absl::string_view head, absl::string_view bytes, const ByteSink& sink);
  absl::Status CountObject();
  absl::Status Append(absl::string_view bytes);
  absl::Status Flush();

  const ByteSink sink_;
  uint32_t remaining_;
  std::unique_ptr<Streams> streams_;
  std::string chunk_;
};

}  // namespace slipway::git
