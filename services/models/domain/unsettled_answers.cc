#include "services/models/domain/unsettled_answers.h"

#include <utility>

namespace slipway::models {

UnsettledAnswers::Entry::Entry(UnsettledAnswers& answers, const std::string& attempt)
    : answers_(answers), attempt_(attempt) {
  base::MutexLock lock(answers_.mutex_);
  ++answers_.of_attempts_[attempt_].count;
}

UnsettledAnswers::Entry::~Entry() {
  std::vector<absl::AnyInvocable<void(bool)>> waiting;
  {
    base::MutexLock lock(answers_.mutex_);
    const auto found = answers_.of_attempts_.find(attempt_);
    if (--found->second.count > 0) return;
    std::swap(waiting, found->second.waiting);
    answers_.of_attempts_.erase(found);
  }
  for (absl::AnyInvocable<void(bool)>& none : waiting) none(false);
}

void UnsettledAnswers::OnNone(const std::string& attempt, absl::AnyInvocable<void(bool)> none) {
  {
    base::MutexLock lock(mutex_);
    const auto found = of_attempts_.find(attempt);
    if (found != of_attempts_.end()) return found->second.waiting.push_back(std::move(none));
  }
  none(true);
}

}  // namespace slipway::models
