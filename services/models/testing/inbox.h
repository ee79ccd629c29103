#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// Takes what a provider sends for a test that waits for it. Thread-safe.
class Inbox final : public ProviderSink {
 public:
  struct Text {
    std::string text;
  };
  using Event = std::variant<Text, ProviderResult>;

  void OnText(absl::string_view text) override {
    base::MutexLock lock(mutex_);
    events_.push_back(Text{std::string(text)});
    changed_.NotifyAll();
  }
  void OnEnd(ProviderResult result) override {
    base::MutexLock lock(mutex_);
    events_.push_back(std::move(result));
    changed_.NotifyAll();
  }

  // Blocks.
  Event Next() {
    base::MutexLock lock(mutex_);
    while (events_.empty()) changed_.Wait(mutex_);
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  // Whether nothing has come that was not taken.
  bool empty() {
    base::MutexLock lock(mutex_);
    return events_.empty();
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
