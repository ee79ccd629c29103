#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "services/models/domain/provider.h"
#include "services/models/domain/reply_sink.h"

namespace slipway::models {

// One reply on its way from a provider to its reader, without a thread of its own: text goes on
// where it came from. Ends once, by the provider's end or by an interruption, whichever is first.
// Thread-safe. All text together is bounded; what exceeds that is an interruption. A reader
// without room makes the provider wait.
class Reception final : public ProviderSink {
 public:
  struct Options {
    size_t bytes_max = 0;
    bool keep_text = false;
    // Whether the sink may be told that a reply is complete as soon as it is.
    bool tell_complete = false;
    // Called before that.
    absl::AnyInvocable<void()> on_complete;
    // Called before the first text is passed on.
    absl::AnyInvocable<void()> on_first_text;
  };

  // `sink` and `clock` must outlive it.
  Reception(Options options, ReplySink& sink, base::Clock& clock);
  ~Reception() override;

  void OnText(absl::string_view text) override;
  void OnLastText(absl::string_view text) override;
  bool HasRoom() override;
  void OnEnd(ProviderResult result) override;

  // Ends it early; `reason` is UPPER_SNAKE. Without effect after the end.
  void Interrupt(absl::string_view reason);

  // Calls `ended` once, when it has ended: at once or later, on the thread that ended it.
  void OnEnded(absl::AnyInvocable<void(bool)> ended);

  // Takes the exchange that feeds it.
  void Attach(std::unique_ptr<ProviderExchange> exchange);
  // Ends the exchange: afterwards nothing more comes, and what follows may be called.
  void Close();

  // The provider's end, also one that an interruption overtook; else the interruption as a result.
  ProviderResult TakeResult();
  bool spoke() const { return first_text_at_.has_value(); }
  std::optional<absl::Duration> first_text_at() const { return first_text_at_; }  // Of the clock.
  std::string TakeText() { return std::move(text_); }

 private:
  // What a sink may call although the reception is gone.
  struct Feed {
    base::Mutex mutex;
    std::unique_ptr<ProviderExchange> exchange ABSL_GUARDED_BY(mutex);
    bool resumed ABSL_GUARDED_BY(mutex) = false;  // Before there was an exchange.
    bool closed ABSL_GUARDED_BY(mutex) = false;

    void Resume();
  };

  bool Take(absl::string_view text);
  void Tell();

  const size_t bytes_max_;
  const bool keep_text_;
  const bool tell_complete_;
  absl::AnyInvocable<void()> on_complete_;
  absl::AnyInvocable<void()> on_first_text_;
  ReplySink& sink_;
  base::Clock& clock_;
  const std::shared_ptr<Feed> feed_ = std::make_shared<Feed>();

  // Used by the provider's thread, and by others after Close.
  size_t received_ = 0;
  std::optional<absl::Duration> first_text_at_;
  std::string text_;

  base::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool told_ ABSL_GUARDED_BY(mutex_) = false;  // The thread that ended it has let go.
  std::string interruption_ ABSL_GUARDED_BY(mutex_);
  std::optional<ProviderResult> result_ ABSL_GUARDED_BY(mutex_);
  absl::AnyInvocable<void(bool)> on_ended_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
