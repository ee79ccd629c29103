#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/faultdisk/random.h"

namespace slipway::faultdisk {

enum class Fault {
  kPowerLoss,   // Unsynced changes are lost, torn or kept, each on its own.
  kKill,        // The process ends; what it wrote is there.
  kIoError,     // This step fails; a write or a sync may have done a part.
  kShortWrite,  // A part of this write is done, then it fails.
  kDiskFull,    // This and all later writes that make a file longer fail until the restart.
};
inline constexpr int kFaultCount = 5;
const char* NameOf(Fault fault);

enum class Access { kRead, kWrite, kSync, kTruncate, kDelete, kOpen };
inline constexpr int kAccessCount = 6;
const char* NameOf(Access access);

// When to fail: at the `countdown`-th access (from 1) that is in `accesses`.
struct Plan {
  Fault fault = Fault::kPowerLoss;
  std::vector<Access> accesses;
  int countdown = 1;
};

enum class Outcome { kDone, kIoError, kDiskFull };

// A change of a file since its last sync.
struct Change {
  bool truncates = false;  // To `offset`.
  int64_t offset = 0;
  std::string data;
};

// A file as programs see it, and what of it a power loss leaves for certain.
struct File {
  std::string name;
  std::string content;
  std::string durable;
  std::vector<Change> unsynced;  // `content` is `durable` with these.
  int64_t last_write = 0;        // Where the last one began.
};

// The files of one directory on a disk that fails as planned. What a program sees is the volatile
// image; a power loss leaves the durable image and, of each change that was not synced, all,
// nothing, or some of its sectors, whatever became of the changes before it. The seed decides. Not
// thread-safe.
//
// A machine that keeps running after a failed sync still sees the unsynced changes and may sync
// them later; a kernel that drops them from its cache unseen is not modelled.
class FaultDisk final {
 public:
  struct Options {
    bool syncs_lie = false;  // A sync says that it is done, and is not.
    std::string liar;        // Only of files whose names contain it.
  };

  explicit FaultDisk(uint64_t seed) : FaultDisk(seed, Options()) {}
  FaultDisk(uint64_t seed, Options options) : random_(seed), options_(options) {}

  void Arm(Plan plan);
  void Disarm() { armed_ = full_ = false; }

  // Whether the plan has come true since Arm, and at what access.
  bool tripped() const { return tripped_; }
  Access tripped_at() const { return tripped_at_; }
  // The file, and where in it the write was, or the last one before another access.
  const std::string& tripped_file() const { return tripped_file_; }
  int64_t tripped_offset() const { return tripped_offset_; }
  bool power_lost() const { return power_lost_; }

  // The process ends here, whatever was planned.
  void Die() { dead_ = true; }

  // After a power loss or a kill every access fails until the restart.
  bool dead() const { return dead_; }

  // What the next process finds: after a power loss what the disk kept, else the volatile image.
  // `lose_power` loses it also when no plan did. Locks and shared memory are gone, faults are off.
  void Restart(bool lose_power = false);

  // How many times each access was made; how many sectors a power loss has torn.
  int64_t count(Access access) const { return counts_[static_cast<int>(access)]; }
  int64_t torn() const { return torn_; }

  // The accesses of programs. Files are found by name; `directory_synced` also makes the names
  // durable.
  Outcome Open(const std::string& name, bool create, std::shared_ptr<File>& file);
  Outcome Read(const File& file, int64_t offset, char* data, int size, int& size_read);
  Outcome Write(File& file, int64_t offset, absl::string_view data);
  Outcome Truncate(File& file, int64_t size);
  Outcome Sync(File& file, bool directory_synced);
  Outcome Delete(const std::string& name, bool directory_synced);
  bool Exists(const std::string& name) const { return names_.contains(name); }

  Random& random() { return random_; }

 private:
  using Names = std::map<std::string, std::shared_ptr<File>>;

  // What becomes of an access: counts it, and lets the plan come true.
  enum class Verdict { kPass, kFail, kFailPartly, kDieBefore, kDieAfter, kDiePartly };
  Verdict Judge(Access access, const std::string& file, int64_t offset = 0);

  static void Apply(const Change& change, std::string& image);
  void ApplyTorn(const Change& change, std::string& image);
  void LosePower();
  void SyncNames() { durable_names_ = names_; }

  Random random_;
  const Options options_;
  Names names_;
  Names durable_names_;
  Plan plan_;
  bool armed_ = false;
  bool tripped_ = false;
  Access tripped_at_ = Access::kRead;
  std::string tripped_file_;
  int64_t tripped_offset_ = 0;
  bool full_ = false;
  bool dead_ = false;
  bool power_lost_ = false;
  int64_t counts_[kAccessCount] = {};
  int64_t torn_ = 0;
};

}  // namespace slipway::faultdisk
