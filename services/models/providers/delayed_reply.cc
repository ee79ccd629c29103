#include "services/models/providers/delayed_reply.h"

#include <utility>

#include "lib/log/log.h"

namespace slipway::models {

DelayedReply::DelayedReply(absl::AnyInvocable<void()> play) {
  base::MutexLock lock(state_->mutex);
  state_->play = std::move(play);
}

DelayedReply::~DelayedReply() {
  timer_.reset();
  base::MutexLock lock(state_->mutex);
  state_->play = nullptr;
}

std::unique_ptr<ProviderExchange> DelayedReply::Start(absl::Duration latency, base::Clock& clock,
                                                      base::Executor& executor,
                                                      absl::AnyInvocable<void()> play) {
  std::unique_ptr<DelayedReply> reply(new DelayedReply(std::move(play)));
  if (latency == absl::ZeroDuration()) {
    reply->state_->Play();
    return reply;
  }
  reply->timer_ = clock.RunAfter(latency, [state = reply->state_, &executor] {
    const absl::Status queued = executor.TryRun([state] { state->Play(); });
    if (!queued.ok()) log::Error("a reply of this process was not played");
  });
  return reply;
}

void DelayedReply::State::Play() {
  base::MutexLock lock(mutex);
  if (play == nullptr) return;
  play();
  play = nullptr;
}

}  // namespace slipway::models
