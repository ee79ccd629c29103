#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/thread_pool.h"
#include "services/models/cassette/recorder.h"
#include "services/models/domain/limits.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// A provider whose calls are recorded where the recorder wants them; else it only passes them on.
// An entry is kept before the call learns of its end, on a thread of the recording's own, so that
// no other reply waits for the disk. Thread-safe.
class RecordingProvider final : public Provider {
 public:
  RecordingProvider(std::unique_ptr<Provider> provider, Recorder& recorder, base::Clock& clock)
      : provider_(std::move(provider)), recorder_(recorder), clock_(clock) {}

  const std::string& name() const override { return provider_->name(); }
  const char* kind() const override { return provider_->kind(); }
  bool free() const override { return provider_->free(); }
  bool Takes(Dialect dialect) const override { return provider_->Takes(dialect); }
  std::optional<int64_t> CountInput(const std::string& model, const WireRequest& request) override {
    return provider_->CountInput(model, request);
  }
  std::optional<ProviderHealth> Check() override { return provider_->Check(); }
  bool StartsAtOnce() const override { return provider_->StartsAtOnce(); }
  std::unique_ptr<ProviderExchange> Start(const ProviderCall& call, ProviderSink& sink) override;
  Reconciliation Reconcile(const std::string& call_id) override {
    return provider_->Reconcile(call_id);
  }

 private:
  const std::unique_ptr<Provider> provider_;
  Recorder& recorder_;
  base::Clock& clock_;
  base::ThreadPool pool_{{.threads = 1, .queue_max = kRecordsWaitingMax}};
};

}  // namespace slipway::models
