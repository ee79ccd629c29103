#include "services/models/domain/inbox.h"

#include <algorithm>
#include <utility>

namespace slipway::models {

void Inbox::OnText(absl::string_view text) {
  base::MutexLock lock(mutex_);
  received_ += text.size();
  if (received_ > bytes_max_) {
    events_.push_front(Interruption{"REPLY_TOO_LARGE"});
  } else if (!events_.empty() && std::holds_alternative<Text>(events_.back())) {
    waiting_ += text.size();
    std::get<Text>(events_.back()).text.append(text.data(), text.size());
  } else {
    waiting_ += text.size();
    events_.push_back(Text{std::string(text)});
  }
  changed_.NotifyAll();
}

bool Inbox::HasRoom() {
  base::MutexLock lock(mutex_);
  refused_room_ = waiting_ >= kInboxBytesMax;
  return !refused_room_;
}

void Inbox::OnEnd(ProviderResult result) {
  base::MutexLock lock(mutex_);
  events_.push_back(std::move(result));
  changed_.NotifyAll();
}

void Inbox::Interrupt(absl::string_view reason) {
  base::MutexLock lock(mutex_);
  events_.push_front(Interruption{std::string(reason)});
  changed_.NotifyAll();
}

Inbox::Event Inbox::Next() {
  base::MutexLock lock(mutex_);
  while (events_.empty()) changed_.Wait(mutex_);
  Event event = std::move(events_.front());
  events_.pop_front();
  if (const Text* text = std::get_if<Text>(&event)) waiting_ -= text->text.size();
  return event;
}

bool Inbox::TakeHunger() {
  base::MutexLock lock(mutex_);
  if (!refused_room_ || waiting_ > kInboxBytesMax / 2) return false;
  refused_room_ = false;
  return true;
}

std::optional<ProviderResult> Inbox::TakeEnd() {
  base::MutexLock lock(mutex_);
  for (Event& event : events_) {
    if (auto* result = std::get_if<ProviderResult>(&event)) return std::move(*result);
  }
  return std::nullopt;
}

}  // namespace slipway::models
