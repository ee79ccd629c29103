#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/models/cassette/cassette_entry.h"

namespace slipway::models {

// The recorded calls of one plan, by when they began. Immutable.
class Cassette final {
 public:
  // Reads a file as `slipway models cassette export` writes it. Fails with ConfigInvalid, which
  // says what and in which line.
  static absl::StatusOr<Cassette> Load(const std::string& path);

  explicit Cassette(std::vector<CassetteEntry> entries);

  const std::vector<CassetteEntry>& entries() const { return entries_; }

 private:
  std::vector<CassetteEntry> entries_;
};

}  // namespace slipway::models
