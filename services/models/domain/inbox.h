#pragma once

#include <deque>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "services/models/domain/limits.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// What a call waits for: its provider's text and end, or an interruption. Thread-safe. All text
// together is bounded; what exceeds that is an interruption. What waits is bounded for providers
// that ask for room.
class Inbox final : public ProviderSink {
 public:
  struct Text {
    std::string text;
  };
  struct Interruption {
    std::string reason;  // UPPER_SNAKE.
  };
  using Event = std::variant<Text, ProviderResult, Interruption>;

  explicit Inbox(size_t bytes_max = kReplyBytesMax) : bytes_max_(bytes_max) {}

  void OnText(absl::string_view text) override;
  bool HasRoom() override;
  void OnEnd(ProviderResult result) override;
  void Interrupt(absl::string_view reason);

  // Blocks. Interruptions overtake text that waits.
  Event Next();

  // Whether the provider was told to wait and need not any more.
  bool TakeHunger();

  // The provider's end, if it has come although something overtook it.
  std::optional<ProviderResult> TakeEnd();

 private:
  const size_t bytes_max_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
  size_t received_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  bool refused_room_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace slipway::models
