#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"

namespace slipway::models {

// Which tries of this instance the ledger may hold money for, and which of them may have been sent:
// a few bytes each in a file, written before either begins. They survive the process, however it
// ends, because the system has them by then; a power failure they need not survive. Writing one
// takes some microseconds and waits for nobody, which cannot be said of a transaction.
//
// As many places as tries are under way at once, each used again. Thread-safe.
class HoldNotes final {
 public:
  enum class Step : char { kHolding = 'H', kSending = 'S' };
  using Notes = std::map<std::string, Step>;  // By try.

  // Reads what the last instance left in `path`; what is no file of notes is none. With an empty
  // path notes are in memory only.
  static absl::StatusOr<std::unique_ptr<HoldNotes>> Open(const std::string& path);

  // From now on notes are those of `owner`; what was left is forgotten.
  absl::Status BeginFor(const std::string& owner);

  // Fails with CallIdInvalid for an id of more than 254 bytes, else as the system does.
  absl::Status Add(const std::string& id);
  // Fails with NOT_FOUND unless it was added.
  absl::Status MarkSending(const std::string& id);
  // Without effect where there is none. A note that cannot be removed says too much, never too
  // little.
  void Remove(const std::string& id);

  // The last instance, until BeginFor; empty where nothing is known of it.
  std::string left_owner() const;
  // Those of an owner that are here; absent for one of whom nothing is known.
  std::optional<Notes> Of(const std::string& owner) const;

 private:
  struct Place {
    size_t number = 0;
    Step step = Step::kHolding;
  };

  explicit HoldNotes(std::string path) : path_(std::move(path)) {}
  void ReadLeft();
  absl::Status WriteAt(size_t place, absl::string_view bytes) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  mutable base::Mutex mutex_;
  base::UniqueFd file_ ABSL_GUARDED_BY(mutex_);
  std::string owner_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, Place> notes_ ABSL_GUARDED_BY(mutex_);
  size_t places_ ABSL_GUARDED_BY(mutex_) = 0;  // In the file.
  std::vector<size_t> free_ ABSL_GUARDED_BY(mutex_);
  std::string left_owner_ ABSL_GUARDED_BY(mutex_);
  Notes left_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
