#include "services/models/storage/hold_notes.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"
#include "services/models/domain/errors.h"

namespace slipway::models {
namespace {

// The file: its first place says whose notes they are, each further one is free or has a step, the
// length of an id, and the id. A place lies within a page, so that the end of the process leaves no
// half of one.
constexpr size_t kPlaceBytes = 256;
constexpr size_t kIdBytesMax = kPlaceBytes - 2;
constexpr absl::string_view kMagic = "slipway holds 1\n";
constexpr char kFree = '\0';

}  // namespace

absl::StatusOr<std::unique_ptr<HoldNotes>> HoldNotes::Open(const std::string& path) {
  std::unique_ptr<HoldNotes> notes(new HoldNotes(path));
  if (!path.empty()) notes->ReadLeft();
  return notes;
}

void HoldNotes::ReadLeft() {
  const absl::StatusOr<std::string> bytes = base::ReadFile(path_);
  if (absl::IsNotFound(bytes.status())) return;
  if (!bytes.ok() || bytes->size() < kPlaceBytes || !absl::StartsWith(*bytes, kMagic)) {
    log::Warning("the notes of holds cannot be read: calls under way count as sent",
                 {{"path", path_}, {"error", bytes.status().message()}});
    return;
  }
  base::MutexLock lock(mutex_);
  left_owner_ = bytes->substr(kMagic.size(), bytes->find('\0', kMagic.size()) - kMagic.size());
  for (size_t at = kPlaceBytes; at + 2 < bytes->size(); at += kPlaceBytes) {
    if ((*bytes)[at] == kFree) continue;
    const auto length = static_cast<unsigned char>((*bytes)[at + 1]);
    // A step that is not known may be any.
    const Step step =
        (*bytes)[at] == static_cast<char>(Step::kHolding) ? Step::kHolding : Step::kSending;
    left_[bytes->substr(at + 2, length)] = step;
  }
}

absl::Status HoldNotes::BeginFor(const std::string& owner) {
  base::MutexLock lock(mutex_);
  if (!path_.empty()) {
    std::string head = absl::StrCat(kMagic, owner.substr(0, kPlaceBytes - kMagic.size() - 1));
    head.resize(kPlaceBytes);
    RETURN_IF_ERROR(base::WriteFileAtomic(path_, head));
    file_ = base::UniqueFd(open(path_.c_str(), O_RDWR | O_CLOEXEC));
    if (file_.get() < 0) return base::ErrnoStatus(errno, path_);
  }
  owner_ = owner;
  notes_.clear();
  free_.clear();
  places_ = 0;
  left_owner_.clear();
  left_.clear();
  return absl::OkStatus();
}

absl::Status HoldNotes::WriteAt(size_t place, absl::string_view bytes) const {
  if (file_.get() < 0) return absl::OkStatus();
  const auto at = static_cast<off_t>((place + 1) * kPlaceBytes);
  ssize_t written = -1;
  do {
    written = pwrite(file_.get(), bytes.data(), bytes.size(), at);
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(bytes.size())) return absl::OkStatus();
  return base::ErrnoStatus(written < 0 ? errno : ENOSPC, path_);
}

absl::Status HoldNotes::Add(const std::string& id) {
  if (id.empty() || id.size() > kIdBytesMax) return CallIdInvalid(id);
  base::MutexLock lock(mutex_);
  const auto [found, added] = notes_.try_emplace(id);
  Place& place = found->second;
  if (added) {
    if (free_.empty()) free_.push_back(places_++);
    place.number = free_.back();
    free_.pop_back();
  }
  place.step = Step::kHolding;
  const char head[] = {static_cast<char>(Step::kHolding), static_cast<char>(id.size())};
  const absl::Status written =
      WriteAt(place.number, absl::StrCat(absl::string_view(head, sizeof(head)), id));
  if (!written.ok()) {
    free_.push_back(place.number);
    notes_.erase(found);
  }
  return written;
}

absl::Status HoldNotes::MarkSending(const std::string& id) {
  base::MutexLock lock(mutex_);
  const auto found = notes_.find(id);
  if (found == notes_.end()) return absl::NotFoundError("no hold was noted");
  const char step = static_cast<char>(Step::kSending);
  RETURN_IF_ERROR(WriteAt(found->second.number, absl::string_view(&step, 1)));
  found->second.step = Step::kSending;
  return absl::OkStatus();
}

void HoldNotes::Remove(const std::string& id) {
  base::MutexLock lock(mutex_);
  const auto found = notes_.find(id);
  if (found == notes_.end()) return;
  const absl::Status freed = WriteAt(found->second.number, absl::string_view(&kFree, 1));
  if (freed.ok()) free_.push_back(found->second.number);
  notes_.erase(found);
}

std::string HoldNotes::left_owner() const {
  base::MutexLock lock(mutex_);
  return left_owner_;
}

std::optional<HoldNotes::Notes> HoldNotes::Of(const std::string& owner) const {
  base::MutexLock lock(mutex_);
  if (!owner.empty() && owner == left_owner_) return left_;
  if (owner.empty() || owner != owner_) return std::nullopt;
  Notes notes;
  for (const auto& [id, place] : notes_) notes[id] = place.step;
  return notes;
}

}  // namespace slipway::models
