#include "lib/git/object_packs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/mapped_file.h"
#include "lib/git/pack_entry.h"
#include "lib/git/pack_index.h"
#include "lib/git/pack_writer.h"

namespace slipway::git {
namespace {

namespace fs = std::filesystem;

// What one call of WritePack or JoinPacks writes. The names of temporary files are those that
// SweepStale removes after a crash.
class NewPack final {
 public:
  NewPack(const std::string& objects_path, size_t object_count)
      : directory_(absl::StrCat(objects_path, "/pack")),
        suffix_(absl::StrCat(getpid(), "_", next_.fetch_add(1))),
        writer_(static_cast<uint32_t>(object_count),
                [this](absl::string_view chunk) { return Write(pack_.get(), chunk); }) {}
  ~NewPack() {
    unlink(Temporary("tmp_pack_").c_str());
    unlink(Temporary("tmp_idx_").c_str());
  }
  NewPack(const NewPack&) = delete;
  NewPack& operator=(const NewPack&) = delete;

  absl::Status Open() {
    ASSIGN_OR_RETURN(pack_, Make(Temporary("tmp_pack_")));
    return absl::OkStatus();
  }

  absl::Status Add(const NewObject& object) {
    ASSIGN_OR_RETURN(const std::string packed, writer_.Pack(object.type, object.bytes));
    return AddPacked(object.oid, packed);
  }

  absl::Status AddPacked(const Oid& oid, absl::string_view packed) {
    places_.push_back({.oid = oid, .offset = end_, .crc = PackedCrc(packed)});
    end_ += packed.size();
    return writer_.AddPacked(packed);
  }

  // Puts pack and index in place, durably; the name, without its extension.
  absl::StatusOr<std::string> Publish() {
    RETURN_IF_ERROR(writer_.Finish());
    const std::string checksum = tail_;
    ASSIGN_OR_RETURN(const base::UniqueFd index, Make(Temporary("tmp_idx_")));
    RETURN_IF_ERROR(Write(index.get(), EncodePackIndex(std::move(places_), checksum)));
    // Both are written before either is synced: the first sync carries most of the other's.
    if (fsync(pack_.get()) != 0 || fsync(index.get()) != 0) {
      return base::ErrnoStatus(errno, absl::StrCat("fsync in ", directory_));
    }
    const std::string name = absl::StrCat("pack-", absl::BytesToHexString(checksum));
    const std::string target = absl::StrCat(directory_, "/", name);
    // The pack first: an index without its pack would be found.
    if (rename(Temporary("tmp_pack_").c_str(), absl::StrCat(target, ".pack").c_str()) != 0 ||
        rename(Temporary("tmp_idx_").c_str(), absl::StrCat(target, ".idx").c_str()) != 0) {
      return base::ErrnoStatus(errno, target);
    }
    RETURN_IF_ERROR(base::Sync(directory_));
    return name;
  }

 private:
  std::string Temporary(absl::string_view prefix) const {
    return absl::StrCat(directory_, "/", prefix, suffix_);
  }

  static absl::StatusOr<base::UniqueFd> Make(const std::string& path) {
    base::UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
    if (!file.valid()) return base::ErrnoStatus(errno, absl::StrCat("make ", path));
    return file;
  }

  // Also keeps the last bytes, which are the checksum at the end.
  absl::Status Write(int file, absl::string_view bytes) {
    tail_.append(bytes.data(), bytes.size());
    if (tail_.size() > kPackChecksumBytes) tail_.erase(0, tail_.size() - kPackChecksumBytes);
    while (!bytes.empty()) {
      const ssize_t written = write(file, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return base::ErrnoStatus(errno, absl::StrCat("write in ", directory_));
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  static inline std::atomic<uint64_t> next_{0};
  const std::string directory_;
  const std::string suffix_;
  base::UniqueFd pack_;
  PackWriter writer_;
  std::string tail_;
  uint64_t end_ = kPackHeaderBytes;
  std::vector<PackPlace> places_;
};

struct SmallPack {
  std::string path;  // Without its extension.
  uintmax_t bytes = 0;
};

// Packs that may be joined, smallest first.
absl::StatusOr<std::vector<SmallPack>> ListSmallPacks(const std::string& directory,
                                                      size_t pack_bytes_max,
                                                      const std::set<std::string>& joined) {
  std::vector<SmallPack> packs;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    fs::path path = entry->path();
    if (path.extension() != ".idx" || !absl::StartsWith(path.filename().string(), "pack-")) {
      continue;
    }
    std::error_code gone;
    const uintmax_t bytes = fs::file_size(path.replace_extension(".pack"), gone);
    if (gone || bytes > pack_bytes_max) continue;
    if (fs::exists(fs::path(path).replace_extension(".keep"), gone)) continue;
    const std::string stem = path.replace_extension("").string();
    if (!joined.contains(stem)) packs.push_back({.path = stem, .bytes = bytes});
  }
  if (error) return base::ErrnoStatus(error.value(), absl::StrCat("list ", directory));
  std::sort(packs.begin(), packs.end(), [](const SmallPack& a, const SmallPack& b) {
    return std::tie(a.bytes, a.path) < std::tie(b.bytes, b.path);
  });
  return packs;
}

// One pack to join: its objects as they are packed.
class OldPack final {
 public:
  static absl::StatusOr<OldPack> Open(const std::string& path) {
    ASSIGN_OR_RETURN(MappedFile pack, MappedFile::Open(path + ".pack"));
    ASSIGN_OR_RETURN(MappedFile index, MappedFile::Open(path + ".idx"));
    RETURN_IF_ERROR(CheckPack(pack.bytes()).status());
    ASSIGN_OR_RETURN(PackIndex read, PackIndex::Read(index.bytes()));
    if (!absl::EndsWith(pack.bytes(), read.pack_checksum())) {
      return PackInvalid("the index is of another pack");
    }
    OldPack old(path, std::move(pack), std::move(index), read);
    RETURN_IF_ERROR(old.Locate());
    return old;
  }

  struct Entry {
    Oid oid;
    absl::string_view packed;
  };
  const std::vector<Entry>& entries() const { return entries_; }
  // Whether an object is told as a delta on one at some distance before it: such a pack can only be
  // copied as a whole.
  bool has_distances() const { return has_distances_; }
  const std::string& path() const { return path_; }

 private:
  OldPack(std::string path, MappedFile pack, MappedFile index, PackIndex read)
      : path_(std::move(path)), pack_(std::move(pack)), index_(std::move(index)), read_(read) {}

  absl::Status Locate() {
    std::vector<std::pair<uint64_t, size_t>> ranks;
    for (size_t rank = 0; rank < read_.size(); ++rank) {
      ASSIGN_OR_RETURN(const uint64_t offset, read_.OffsetAt(rank));
      ranks.emplace_back(offset, rank);
    }
    std::sort(ranks.begin(), ranks.end());
    const absl::string_view bytes = pack_.bytes();
    const uint64_t last = bytes.size() - kPackChecksumBytes;
    for (size_t i = 0; i < ranks.size(); ++i) {
      const uint64_t begin = ranks[i].first;
      const uint64_t end = i + 1 < ranks.size() ? ranks[i + 1].first : last;
      if (begin < kPackHeaderBytes || begin >= end || end > last) {
        return PackInvalid("its index points outside of it");
      }
      const absl::string_view packed = bytes.substr(begin, end - begin);
      if (PackedCrc(packed) != read_.CrcAt(ranks[i].second)) {
        return PackInvalid("an object differs from its CRC");
      }
      constexpr int kDeltaAtDistance = 6;
      has_distances_ = has_distances_ || (packed.front() >> 4 & 7) == kDeltaAtDistance;
      entries_.push_back({.oid = read_.OidAt(ranks[i].second), .packed = packed});
    }
    return absl::OkStatus();
  }

  std::string path_;
  MappedFile pack_;
  MappedFile index_;
  PackIndex read_;
  std::vector<Entry> entries_;
  bool has_distances_ = false;
};

std::atomic<uint64_t> pack_joins{0};

// What crashes leave of these is joined again, or swept: an index without its pack.
void Remove(const std::set<std::string>& packs) {
  if (packs.empty()) return;
  // Before for those who look meanwhile, after for those who begin meanwhile.
  ++pack_joins;
  for (const std::string& path : packs) {
    for (const char* extension : {".pack", ".idx", ".rev"}) unlink((path + extension).c_str());
  }
  ++pack_joins;
}

// Marks a directory as being worked on, for as long as the object lives.
class JoinTurn final {
 public:
  explicit JoinTurn(std::string path) : path_(std::move(path)) {
    base::MutexLock lock(mutex_);
    taken_ = Busy().insert(path_).second;
  }
  ~JoinTurn() {
    base::MutexLock lock(mutex_);
    if (taken_) Busy().erase(path_);
  }
  JoinTurn(const JoinTurn&) = delete;
  JoinTurn& operator=(const JoinTurn&) = delete;

  bool taken() const { return taken_; }

  // Packs that were joined the last time and are still there.
  std::set<std::string> Joined() const {
    base::MutexLock lock(mutex_);
    return Leftovers()[path_];
  }
  void SetJoined(std::set<std::string> packs) {
    base::MutexLock lock(mutex_);
    Leftovers()[path_] = std::move(packs);
  }

 private:
  static std::set<std::string>& Busy() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    static auto& busy = *new std::set<std::string>();
    return busy;
  }

  static std::map<std::string, std::set<std::string>>& Leftovers()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    static auto& leftovers = *new std::map<std::string, std::set<std::string>>();
    return leftovers;
  }

  static inline base::Mutex mutex_;
  const std::string path_;
  bool taken_ = false;
};

// Of the packs, smallest first: two thirds of those that are too many to wait for, then each that
// is not larger than twice what is before it. So each object is copied about once for each
// doubling.
std::vector<std::string> Choose(const std::vector<SmallPack>& packs, const JoinOptions& options) {
  std::vector<std::string> chosen;
  uintmax_t sum = 0;
  for (const SmallPack& pack : packs) {
    const bool wanted = chosen.size() < options.packs_max * 2 / 3 || pack.bytes <= 2 * sum;
    if (!wanted || (sum > 0 && sum + pack.bytes > 2 * options.pack_bytes_max)) break;
    sum += pack.bytes;
    chosen.push_back(pack.path);
  }
  return chosen;
}

}  // namespace

absl::Status WritePack(const std::string& objects_path, const std::vector<NewObject>& objects) {
  if (objects.empty()) return absl::OkStatus();
  NewPack pack(objects_path, objects.size());
  RETURN_IF_ERROR(pack.Open());
  for (const NewObject& object : objects) RETURN_IF_ERROR(pack.Add(object));
  return pack.Publish().status();
}

absl::StatusOr<int> JoinPacks(const std::string& objects_path, const JoinOptions& options) {
  JoinTurn turn(objects_path);
  if (!turn.taken()) return 0;
  const std::string directory = absl::StrCat(objects_path, "/pack");
  ASSIGN_OR_RETURN(const std::vector<SmallPack> packs,
                   ListSmallPacks(directory, options.pack_bytes_max, turn.Joined()));
  if (packs.size() <= options.packs_max) return 0;
  std::vector<OldPack> old;
  absl::flat_hash_set<Oid> oids;
  for (const std::string& path : Choose(packs, options)) {
    ASSIGN_OR_RETURN(OldPack pack, OldPack::Open(path));
    if (pack.has_distances()) continue;
    for (const OldPack::Entry& entry : pack.entries()) oids.insert(entry.oid);
    old.push_back(std::move(pack));
  }
  if (old.size() < 2) return 0;
  NewPack joined(objects_path, oids.size());
  RETURN_IF_ERROR(joined.Open());
  for (const OldPack& pack : old) {
    for (const OldPack::Entry& entry : pack.entries()) {
      if (oids.erase(entry.oid) > 0) RETURN_IF_ERROR(joined.AddPacked(entry.oid, entry.packed));
    }
  }
  ASSIGN_OR_RETURN(const std::string name, joined.Publish());
  Remove(turn.Joined());
  std::set<std::string> leftovers;
  for (const OldPack& pack : old) {
    if (!absl::EndsWith(pack.path(), name)) leftovers.insert(pack.path());
  }
  turn.SetJoined(std::move(leftovers));
  return static_cast<int>(old.size());
}

uint64_t PackJoins() { return pack_joins.load(); }

}  // namespace slipway::git
