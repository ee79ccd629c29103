#include "services/models/domain/inbox.h"

#include <utility>

#include "services/models/domain/limits.h"

namespace slipway::models {

void Inbox::OnText(absl::string_view text) {
  base::MutexLock lock(mutex_);
  received_ += text.size();
  if (received_ > kReplyBytesMax) {
    events_.push_front(Interruption{"REPLY_TOO_LARGE"});
  } else if (!events_.empty() && std::holds_alternative<Text>(events_.back())) {
    std::get<Text>(events_.back()).text.append(text.data(), text.size());
  } else {
    events_.push_back(Text{std::string(text)});
  }
  changed_.NotifyOne();
}

void Inbox::OnEnd(ProviderResult result) {
  base::MutexLock lock(mutex_);
  events_.push_back(std::move(result));
  changed_.NotifyOne();
}

void Inbox::Interrupt(absl::string_view reason) {
  base::MutexLock lock(mutex_);
  events_.push_front(Interruption{std::string(reason)});
  changed_.NotifyOne();
}

Inbox::Event Inbox::Next() {
  base::MutexLock lock(mutex_);
  while (events_.empty()) changed_.Wait(mutex_);
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<ProviderResult> Inbox::TakeEnd() {
  base::MutexLock lock(mutex_);
  for (Event& event : events_) {
    if (auto* result = std::get_if<ProviderResult>(&event)) return std::move(*result);
  }
  return std::nullopt;
}

}  // namespace slipway::models
