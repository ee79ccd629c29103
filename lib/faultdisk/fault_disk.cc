#include "lib/faultdisk/fault_disk.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace slipway::faultdisk {
namespace {

constexpr size_t kSectorBytes = 512;

void Put(std::string& image, size_t offset, absl::string_view data) {
  if (image.size() < offset + data.size()) image.resize(offset + data.size(), '\0');
  std::memcpy(image.data() + offset, data.data(), data.size());
}

}  // namespace

const char* NameOf(Fault fault) {
  static constexpr const char* kNames[] = {"power loss", "kill", "I/O error", "short write",
                                           "disk full"};
  return kNames[static_cast<int>(fault)];
}

const char* NameOf(Access access) {
  static constexpr const char* kNames[] = {"read", "write", "sync", "truncate", "delete", "open"};
  return kNames[static_cast<int>(access)];
}

void FaultDisk::Arm(Plan plan) {
  plan_ = std::move(plan);
  armed_ = true;
  tripped_ = full_ = false;
}

FaultDisk::Verdict FaultDisk::Judge(Access access, const std::string& file, int64_t offset) {
  if (dead_) return Verdict::kFail;
  ++counts_[static_cast<int>(access)];
  const std::vector<Access>& accesses = plan_.accesses;
  if (!armed_ || std::find(accesses.begin(), accesses.end(), access) == accesses.end() ||
      --plan_.countdown > 0) {
    return Verdict::kPass;
  }
  armed_ = false;
  tripped_ = true;
  tripped_at_ = access;
  tripped_file_ = file;
  tripped_offset_ = offset;
  switch (plan_.fault) {
    case Fault::kPowerLoss:
    case Fault::kKill: {
      power_lost_ = plan_.fault == Fault::kPowerLoss;
      const uint64_t moment = random_.Below(3);
      return moment == 0   ? Verdict::kDieBefore
             : moment == 1 ? Verdict::kDieAfter
                           : Verdict::kDiePartly;
    }
    case Fault::kIoError:
      return random_.OneIn(2) ? Verdict::kFail : Verdict::kFailPartly;
    case Fault::kShortWrite:
      return Verdict::kFailPartly;
    case Fault::kDiskFull:
      full_ = true;
      return Verdict::kPass;  // The access itself says so when it needs room.
  }
  return Verdict::kPass;
}

void FaultDisk::Apply(const Change& change, std::string& image) {
  if (change.truncates) {
    image.resize(static_cast<size_t>(change.offset), '\0');
  } else {
    Put(image, static_cast<size_t>(change.offset), change.data);
  }
}

void FaultDisk::ApplyTorn(const Change& change, std::string& image) {
  if (change.truncates) return Apply(change, image);
  for (size_t at = 0; at < change.data.size();) {
    const size_t offset = static_cast<size_t>(change.offset) + at;
    const size_t size = std::min(kSectorBytes - offset % kSectorBytes, change.data.size() - at);
    if (random_.OneIn(2)) {
      Put(image, offset, absl::string_view(change.data).substr(at, size));
    } else {
      ++torn_;
    }
    at += size;
  }
}

Outcome FaultDisk::Open(const std::string& name, bool create, std::shared_ptr<File>& file) {
  const Verdict verdict = Judge(Access::kOpen, name);
  if (verdict == Verdict::kDieAfter || verdict == Verdict::kDieBefore ||
      verdict == Verdict::kDiePartly) {
    dead_ = true;
  }
  if (verdict != Verdict::kPass) return Outcome::kIoError;
  const auto found = names_.find(name);
  if (found != names_.end()) {
    file = found->second;
    return Outcome::kDone;
  }
  if (!create) return Outcome::kIoError;
  file = names_[name] = std::make_shared<File>();
  file->name = name;
  return Outcome::kDone;
}

Outcome FaultDisk::Read(const File& file, int64_t offset, char* data, int size, int& size_read) {
  const Verdict verdict = Judge(Access::kRead, file.name, offset);
  if (verdict != Verdict::kPass) {
    dead_ = dead_ || verdict == Verdict::kDieBefore || verdict == Verdict::kDieAfter ||
            verdict == Verdict::kDiePartly;
    return Outcome::kIoError;
  }
  const auto begin = static_cast<size_t>(offset);
  const size_t there = file.content.size() > begin ? file.content.size() - begin : 0;
  size_read = static_cast<int>(std::min(there, static_cast<size_t>(size)));
  if (size_read > 0) std::memcpy(data, file.content.data() + begin, static_cast<size_t>(size_read));
  return Outcome::kDone;
}

Outcome FaultDisk::Write(File& file, int64_t offset, absl::string_view data) {
  const Verdict verdict = Judge(Access::kWrite, file.name, offset);
  file.last_write = offset;
  if (verdict == Verdict::kFail) return Outcome::kIoError;
  if (verdict == Verdict::kDieBefore) {
    dead_ = true;
    return Outcome::kIoError;
  }
  const bool partly = verdict == Verdict::kFailPartly || verdict == Verdict::kDiePartly;
  if (partly) data = data.substr(0, random_.Below(data.size() + 1));
  if (full_ && static_cast<size_t>(offset) + data.size() > file.content.size()) {
    return Outcome::kDiskFull;
  }
  file.unsynced.push_back({.offset = offset, .data = std::string(data)});
  Apply(file.unsynced.back(), file.content);
  if (verdict == Verdict::kPass) return Outcome::kDone;
  dead_ = verdict != Verdict::kFailPartly;
  return Outcome::kIoError;
}

Outcome FaultDisk::Truncate(File& file, int64_t size) {
  const Verdict verdict = Judge(Access::kTruncate, file.name, size);
  if (verdict == Verdict::kFail || verdict == Verdict::kFailPartly) return Outcome::kIoError;
  if (verdict == Verdict::kPass || verdict == Verdict::kDieAfter) {
    file.unsynced.push_back({.truncates = true, .offset = size});
    Apply(file.unsynced.back(), file.content);
  }
  if (verdict == Verdict::kPass) return Outcome::kDone;
  dead_ = true;
  return Outcome::kIoError;
}

Outcome FaultDisk::Sync(File& file, bool directory_synced) {
  const Verdict verdict = Judge(Access::kSync, file.name, file.last_write);
  if (verdict == Verdict::kFail) return Outcome::kIoError;
  if (verdict == Verdict::kDieBefore) {
    dead_ = true;
    return Outcome::kIoError;
  }
  if (verdict == Verdict::kFailPartly || verdict == Verdict::kDiePartly) {
    // Some reached the disk, in the order of their making; the rest may be synced later.
    const size_t done = random_.Below(file.unsynced.size() + 1);
    for (size_t i = 0; i < done; ++i) Apply(file.unsynced[i], file.durable);
    file.unsynced.erase(file.unsynced.begin(), file.unsynced.begin() + static_cast<int64_t>(done));
    dead_ = verdict == Verdict::kDiePartly;
    return Outcome::kIoError;
  }
  if (!options_.syncs_lie || file.name.find(options_.liar) == std::string::npos) {
    for (const Change& change : file.unsynced) Apply(change, file.durable);
    file.unsynced.clear();
  }
  if (directory_synced) SyncNames();
  if (verdict == Verdict::kPass) return Outcome::kDone;
  dead_ = true;
  return Outcome::kIoError;
}

Outcome FaultDisk::Delete(const std::string& name, bool directory_synced) {
  const Verdict verdict = Judge(Access::kDelete, name);
  if (verdict == Verdict::kFail || verdict == Verdict::kFailPartly) return Outcome::kIoError;
  if (verdict == Verdict::kPass || verdict == Verdict::kDieAfter) {
    names_.erase(name);
    if (directory_synced) SyncNames();
  }
  if (verdict == Verdict::kPass) return Outcome::kDone;
  dead_ = true;
  return Outcome::kIoError;
}

void FaultDisk::LosePower() {
  // Some controllers keep all, some nothing, most a part.
  const uint64_t keep_percent = random_.OneIn(4) ? 0 : random_.OneIn(4) ? 100 : random_.Below(101);
  std::set<std::string> all;
  for (const auto& [name, file] : names_) all.insert(name);
  for (const auto& [name, file] : durable_names_) all.insert(name);
  Names kept;
  for (const std::string& name : all) {
    const auto now = names_.find(name);
    const auto before = durable_names_.find(name);
    const bool same =
        now != names_.end() && before != durable_names_.end() && now->second == before->second;
    const bool newer = same || random_.Percent(keep_percent);
    const auto& found = newer ? now : before;
    if (found != (newer ? names_.end() : durable_names_.end())) kept[name] = found->second;
  }
  for (const auto& [name, file] : kept) {
    for (const Change& change : file->unsynced) {
      if (random_.Percent(keep_percent)) {
        Apply(change, file->durable);
      } else if (random_.OneIn(2)) {
        ApplyTorn(change, file->durable);
      }
    }
    file->unsynced.clear();
    file->content = file->durable;
  }
  names_ = durable_names_ = std::move(kept);
}

void FaultDisk::Restart(bool lose_power) {
  if (power_lost_ || lose_power) LosePower();
  armed_ = tripped_ = full_ = dead_ = power_lost_ = false;
}

}  // namespace slipway::faultdisk
