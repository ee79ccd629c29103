#include "services/models/domain/reception.h"

#include <utility>

namespace slipway::models {

Reception::Reception(Options options, ReplySink& sink, base::Clock& clock)
    : bytes_max_(options.bytes_max),
      keep_text_(options.keep_text),
      tell_complete_(options.tell_complete),
      on_complete_(std::move(options.on_complete)),
      on_first_text_(std::move(options.on_first_text)),
      sink_(sink),
      clock_(clock) {}

Reception::~Reception() { Close(); }

void Reception::OnText(absl::string_view text) {
  if (Take(text)) sink_.OnText(text);
}

void Reception::OnLastText(absl::string_view text) {
  if (Take(text)) sink_.OnLastText(text);
}

// Whether it goes on to the reader.
bool Reception::Take(absl::string_view text) {
  {
    base::MutexLock lock(mutex_);
    if (ended_) return false;
  }
  received_ += text.size();
  if (received_ > bytes_max_) {
    Interrupt("REPLY_TOO_LARGE");
    return false;
  }
  if (!first_text_at_.has_value()) {
    first_text_at_ = clock_.Elapsed();
    if (on_first_text_) on_first_text_();
  }
  if (keep_text_) text_.append(text.data(), text.size());
  return true;
}

bool Reception::HasRoom() {
  if (sink_.HasRoom()) return true;
  sink_.OnRoom([feed = feed_] { feed->Resume(); });
  return false;
}

void Reception::OnEnd(ProviderResult result) {
  const bool complete = result.kind == ProviderResult::Kind::kComplete;
  bool first = false;
  {
    base::MutexLock lock(mutex_);
    result_ = std::move(result);
    first = !std::exchange(ended_, true);
  }
  if (!first) return;
  if (complete && tell_complete_) {
    if (on_complete_) on_complete_();
    sink_.OnComplete();
  }
  Tell();
}

void Reception::Interrupt(absl::string_view reason) {
  {
    base::MutexLock lock(mutex_);
    if (std::exchange(ended_, true)) return;
    interruption_ = std::string(reason);
  }
  Tell();
}

// The last thing that the ending thread does with this object.
void Reception::Tell() {
  absl::AnyInvocable<void(bool)> on_ended;
  {
    base::MutexLock lock(mutex_);
    std::swap(on_ended, on_ended_);
    told_ = true;
  }
  if (on_ended) on_ended(true);
}

void Reception::OnEnded(absl::AnyInvocable<void(bool)> ended) {
  {
    base::MutexLock lock(mutex_);
    if (!told_) {
      on_ended_ = std::move(ended);
      return;
    }
  }
  ended(true);
}

void Reception::Attach(std::unique_ptr<ProviderExchange> exchange) {
  base::MutexLock lock(feed_->mutex);
  feed_->exchange = std::move(exchange);
  if (feed_->resumed) feed_->exchange->Resume();
}

void Reception::Close() {
  std::unique_ptr<ProviderExchange> exchange;
  {
    base::MutexLock lock(feed_->mutex);
    feed_->closed = true;
    std::swap(exchange, feed_->exchange);
  }
}

void Reception::Feed::Resume() {
  base::MutexLock lock(mutex);
  if (closed) return;
  if (exchange == nullptr) {
    resumed = true;
  } else {
    exchange->Resume();
  }
}

ProviderResult Reception::TakeResult() {
  base::MutexLock lock(mutex_);
  if (result_.has_value()) return *std::move(result_);
  return {.kind = ProviderResult::Kind::kUnknown,
          .reason = interruption_,
          .detail = "the call was ended early"};
}

}  // namespace slipway::models
