#include "lib/git/pack_cache.h"

#include <utility>

namespace slipway::git {

std::shared_ptr<const std::string> PackCache::Find(const Oid& oid) {
  base::MutexLock lock(mutex_);
  const auto place = places_.find(oid);
  if (place == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->bytes;
}

void PackCache::Put(const Oid& oid, std::shared_ptr<const std::string> entry) {
  if (entry->size() > kEntryBytesMax) return;
  base::MutexLock lock(mutex_);
  if (places_.contains(oid)) return;
  bytes_ += entry->size();
  entries_.push_front({.oid = oid, .bytes = std::move(entry)});
  places_[oid] = entries_.begin();
  while (bytes_ > bytes_max_) {
    bytes_ -= entries_.back().bytes->size();
    places_.erase(entries_.back().oid);
    entries_.pop_back();
  }
}

}  // namespace slipway::git
