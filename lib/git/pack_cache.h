#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/base/thread_annotations.h"
#include "absl/hash/hash.h"
#include "lib/base/mutex.h"
#include "lib/git/oid.h"

namespace slipway::git {

// Objects as a pack holds them, compressed: snapshots of neighbouring commits share nearly all of
// theirs, and reading an object from delta chains and compressing it anew costs most of a snapshot.
// Forgets what was not used for longest. Thread-safe.
class PackCache final {
 public:
  static constexpr size_t kBytesMaxDefault = size_t{128} << 20;  // A tree of 10,000 files or so.
  static constexpr size_t kEntryBytesMax = size_t{1} << 20;      // One large file is not the rest.

  explicit PackCache(size_t bytes_max = kBytesMaxDefault) : bytes_max_(bytes_max) {}

  // Null when it is not known.
  std::shared_ptr<const std::string> Find(const Oid& oid);

  // Keeps `entry`, see PackWriter::Pack, unless it is larger than kEntryBytesMax.
  void Put(const Oid& oid, std::shared_ptr<const std::string> entry);

 private:
  struct Entry {
    Oid oid;
    std::shared_ptr<const std::string> bytes;
  };

  const size_t bytes_max_;
  base::Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // Used last first.
  std::unordered_map<Oid, std::list<Entry>::iterator, absl::Hash<Oid>> places_
      ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipway::git
