#include "services/models/domain/health_watch.h"

#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

metrics::Gauge provider_healthy({.name = "slipway_models_provider_healthy",
                                 .description = "Whether a provider answers and takes its key.",
                                 .labels = {"provider"}});

}  // namespace

HealthWatch::HealthWatch(const std::map<std::string, std::unique_ptr<Provider>>& providers,
                         GateKeeper& gates, base::Clock& clock, absl::Duration interval)
    : providers_(providers), gates_(gates), clock_(clock), interval_(interval) {
  thread_ = std::thread([this] { Loop(); });
}

HealthWatch::~HealthWatch() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

std::optional<HealthWatch::Finding> HealthWatch::Of(const std::string& provider) const {
  base::MutexLock lock(mutex_);
  const auto found = findings_.find(provider);
  if (found == findings_.end()) return std::nullopt;
  return found->second;
}

void HealthWatch::Loop() {
  std::unique_ptr<base::Timer> timer;
  while (true) {
    {
      base::MutexLock lock(mutex_);
      while (!awake_ && !stopping_) changed_.Wait(mutex_);
      if (stopping_) return;
      awake_ = false;
    }
    for (const auto& [name, provider] : providers_) LookAt(name, *provider);
    timer = clock_.RunAfter(interval_, [this] {
      base::MutexLock lock(mutex_);
      awake_ = true;
      changed_.NotifyAll();
    });
  }
}

void HealthWatch::LookAt(const std::string& name, Provider& provider) {
  const std::optional<ProviderHealth> health = provider.Check();
  if (!health.has_value()) return;
  bool changed = false;
  {
    base::MutexLock lock(mutex_);
    const auto before = findings_.find(name);
    changed =
        before == findings_.end() ? !health->healthy : before->second.healthy != health->healthy;
    findings_[name] = {clock_.Now(), health->healthy, health->detail};
  }
  provider_healthy.Set({name}, health->healthy ? 1 : 0);
  if (changed) {
    log::Warning(health->healthy ? "a provider is well again" : "a provider is not well",
                 {{"provider", name}, {"detail", health->detail}});
  }
  const std::string gate = ProviderGateName(name);
  if (health->key_refused) {
    const absl::Status closed =
        gates_.Close({.name = gate, .cause = "CONFIG", .detail = health->detail});
    if (!closed.ok()) log::Error("a gate was not stored", {{"gate", gate}});
    return;
  }
  if (!health->healthy) return;
  for (const Gate& closed : gates_.All()) {
    if (closed.name != gate || closed.cause != "CONFIG") continue;
    if (gates_.Open(gate).ok()) log::Info("the key is taken again", {{"gate", gate}});
  }
}

}  // namespace slipway::models
