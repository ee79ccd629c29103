#pragma once

#include <deque>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// What a call waits for: its provider's text and end, or an interruption. Thread-safe. Text is
// bounded by kReplyBytesMax; what exceeds it is an interruption.
class Inbox final : public ProviderSink {
 public:
  struct Text {
    std::string text;
  };
  struct Interruption {
    std::string reason;  // UPPER_SNAKE.
  };
  using Event = std::variant<Text, ProviderResult, Interruption>;

  void OnText(absl::string_view text) override;
  void OnEnd(ProviderResult result) override;
  void Interrupt(absl::string_view reason);

  // Blocks. Interruptions overtake text that waits.
  Event Next();

  // The provider's end, if it has come although something overtook it.
  std::optional<ProviderResult> TakeEnd();

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
  size_t received_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipway::models
