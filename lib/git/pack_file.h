#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/git/mapped_file.h"
#include "lib/git/object_source.h"
#include "lib/git/pack_index.h"

namespace slipway::git {

// A pack of whole objects with its index, read in place. Thread-safe; stays readable when the files
// are removed.
class PackFile final : public ObjectSource {
 public:
  // One object as the pack holds it.
  struct Packed {
    absl::string_view bytes;
    uint32_t crc = 0;
  };

  // Reads both files from end to end. PackInvalid unless they are exactly what was once written:
  // the ids of the objects count as checked then. NOT_FOUND when one is missing.
  static absl::StatusOr<PackFile> Open(const std::string& pack, const std::string& index);

  absl::StatusOr<Object> Read(const Oid& oid, size_t size_max) const override;
  bool Contains(const Oid& oid) const override { return index_.Find(oid).has_value(); }

  // ObjectMissing when it is not here.
  absl::StatusOr<Packed> Find(const Oid& oid) const;

 private:
  PackFile(MappedFile pack, MappedFile index_file, PackIndex index)
      : pack_(std::move(pack)), index_file_(std::move(index_file)), index_(index) {}

  MappedFile pack_;
  MappedFile index_file_;
  PackIndex index_;
  std::vector<uint64_t> offsets_;  // In order, with the end of the last object.
};

}  // namespace slipway::git
