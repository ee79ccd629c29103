#include "services/dispatcher/domain/death_watch.h"

#include "services/dispatcher/domain/limits.h"

namespace slipway::dispatcher {

DeathWatch::Verdict DeathWatch::Note(const TaskKey& task, const std::string& host,
                                     absl::Duration now) {
  while (!recent_.empty() &&
         (recent_.front().time + window_ < now || recent_.size() >= kRecentDeathsMax)) {
    recent_.pop_front();
  }
  Verdict verdict;
  for (Death& earlier : recent_) {
    if (earlier.host != host || earlier.task == task) continue;
    verdict.is_shared = true;
    if (!earlier.is_shared) verdict.exonerated.push_back(earlier.task);
    earlier.is_shared = true;
  }
  recent_.push_back({.task = task, .host = host, .time = now, .is_shared = verdict.is_shared});
  return verdict;
}

}  // namespace slipway::dispatcher
