#include "services/models/domain/gate_keeper.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "nlohmann/json.hpp"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

events::EventDraft GateEvent(const Gate& gate, bool closed) {
  nlohmann::json facts = {{"gate", gate.name}, {"closed", closed}, {"cause", gate.cause}};
  if (closed && gate.until.has_value()) {
    facts["until_time"] =
        absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", *gate.until, absl::UTCTimeZone());
  }
  return {.kind = "gate.changed",
          .payload_json = events::PayloadJson("gate.changed", facts.dump())};
}

std::vector<std::string> GateNamesOf(const Route& route) {
  std::vector<std::string> names = {ProviderGateName(route.provider),
                                    ModelGateName(route.provider, route.model)};
  const std::string limit = LimitGateName(route);
  if (limit != names.back()) names.push_back(limit);
  return names;
}

}  // namespace

absl::StatusOr<std::unique_ptr<GateKeeper>> GateKeeper::Load(Store& store, base::Clock& clock) {
  auto keeper = std::unique_ptr<GateKeeper>(new GateKeeper(store, clock));
  ASSIGN_OR_RETURN(const std::vector<Gate> gates, store.Gates());
  for (const Gate& gate : gates) {
    if (gate.cause == "CONFIG") {
      RETURN_IF_ERROR(store.RemoveGate(gate.name, GateEvent(gate, false)));
      continue;
    }
    base::MutexLock lock(keeper->mutex_);
    keeper->gates_[gate.name] = keeper->Know(gate);
  }
  RETURN_IF_ERROR(keeper->OpenDue().status());
  return keeper;
}

GateKeeper::Known GateKeeper::Know(const Gate& gate) const {
  absl::Duration end = absl::InfiniteDuration();
  if (gate.until.has_value()) end = clock_.Elapsed() + (*gate.until - clock_.Now());
  return {.gate = gate, .end = end};
}

Gate GateKeeper::AsOfNow(const Known& known) const {
  Gate gate = known.gate;
  if (!gate.until.has_value()) return gate;
  const absl::Time until = clock_.Now() + (known.end - clock_.Elapsed());
  // The two clocks are not read at once: only a step is told.
  if (absl::AbsDuration(until - *gate.until) > absl::Seconds(1)) gate.until = until;
  return gate;
}

std::optional<Gate> GateKeeper::ClosedFor(const Route& route) const {
  base::MutexLock lock(mutex_);
  const Known* closed = nullptr;
  for (const std::string& name : GateNamesOf(route)) {
    const auto found = gates_.find(name);
    if (found == gates_.end() || !IsClosed(found->second)) continue;
    if (closed == nullptr || found->second.end > closed->end) closed = &found->second;
  }
  if (closed == nullptr) return std::nullopt;
  return AsOfNow(*closed);
}

std::optional<Gate> GateKeeper::Enter(const Route& route) {
  base::MutexLock lock(mutex_);
  for (const std::string& name : GateNamesOf(route)) {
    const auto gate = gates_.find(name);
    if (gate != gates_.end() && !IsClosed(gate->second)) trickles_.emplace(name, Trickle());
    const auto trickle = trickles_.find(name);
    if (trickle == trickles_.end() || trickle->second.running < trickle->second.allowed) continue;
    return Gate{.name = name,
                .cause = "WAIT",
                .until = clock_.Now() + kTrickleWait,
                .detail = "it has just opened: few calls at a time"};
  }
  for (const std::string& name : GateNamesOf(route)) {
    const auto trickle = trickles_.find(name);
    if (trickle != trickles_.end()) ++trickle->second.running;
  }
  return std::nullopt;
}

void GateKeeper::Leave(const Route& route, bool served) {
  base::MutexLock lock(mutex_);
  for (const std::string& name : GateNamesOf(route)) {
    if (served) strikes_.erase(name);
    const auto found = trickles_.find(name);
    if (found == trickles_.end()) continue;
    Trickle& trickle = found->second;
    trickle.running = std::max(trickle.running - 1, 0);  // It may have entered before the trickle.
    if (!served) continue;
    trickle.allowed *= 2;
    if (trickle.allowed > kTrickleMax) trickles_.erase(found);
  }
}

absl::Duration GateKeeper::Backoff(const std::string& name) {
  base::MutexLock lock(mutex_);
  const int strikes = std::min(strikes_[name]++, 10);
  return std::min(kGateWaitDefault * (1 << strikes), kGateBackoffMax);
}

absl::Status GateKeeper::Close(const Gate& gate) {
  base::MutexLock change(change_mutex_);
  {
    base::MutexLock lock(mutex_);
    const auto found = gates_.find(gate.name);
    const Known known = Know(gate);
    if (found != gates_.end() && IsClosed(found->second) && known.end <= found->second.end) {
      return absl::OkStatus();
    }
    trickles_.erase(gate.name);
    gates_[gate.name] = known;  // Also when the disk fails below: it must hold for this process.
  }
  return store_.PutGate(gate, GateEvent(gate, true));
}

absl::Status GateKeeper::Open(const std::string& name) { return Remove(name, false); }

absl::Status GateKeeper::Remove(const std::string& name, bool by_itself) {
  base::MutexLock change(change_mutex_);
  Gate gate;
  {
    base::MutexLock lock(mutex_);
    const auto found = gates_.find(name);
    if (found == gates_.end()) return GateUnknown(name);
    gate = found->second.gate;
  }
  RETURN_IF_ERROR(store_.RemoveGate(name, GateEvent(gate, false)));
  base::MutexLock lock(mutex_);
  gates_.erase(name);
  if (by_itself) trickles_.emplace(name, Trickle());
  if (!by_itself) trickles_.erase(name);
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> GateKeeper::OpenDue() {
  absl::Duration next = absl::InfiniteDuration();
  std::vector<std::string> due;
  {
    base::MutexLock lock(mutex_);
    for (const auto& [name, known] : gates_) {
      if (!IsClosed(known)) due.push_back(name);
      if (IsClosed(known)) next = std::min(next, known.end - clock_.Elapsed());
    }
  }
  for (const std::string& name : due) {
    const absl::Status opened = Remove(name, true);
    if (!opened.ok() && !absl::IsNotFound(opened)) return opened;
  }
  return next;
}

std::vector<Gate> GateKeeper::All() const {
  base::MutexLock lock(mutex_);
  std::vector<Gate> gates;
  for (const auto& [name, known] : gates_) gates.push_back(AsOfNow(known));
  return gates;
}

std::string ProviderGateName(absl::string_view provider) {
  return absl::StrCat("providers/", provider);
}

std::string ModelGateName(absl::string_view provider, absl::string_view model) {
  return absl::StrCat("providers/", provider, "/models/", model);
}

std::string LimitGateName(const Route& route) {
  std::string limit = route.model;
  constexpr absl::string_view kFamilies = "claude-";
  if (absl::StartsWith(limit, kFamilies)) {
    // Anthropic's limits pool over the versions of a family.
    const size_t end = limit.find('-', kFamilies.size());
    if (end != std::string::npos && end + 1 < limit.size() && absl::ascii_isdigit(limit[end + 1])) {
      limit.resize(end);
    }
  }
  if (route.service_tier == "flex") limit += "@flex";
  return ModelGateName(route.provider, limit);
}

absl::Status GateError(const Gate& gate, absl::Time now) {
  if (gate.cause == "CONFIG") return ProviderRefused(gate.name, gate.detail);
  const absl::Duration left = gate.until.has_value() ? *gate.until - now : kGateRecheck;
  return GateClosed(gate.name, gate.cause, std::max(left, absl::Milliseconds(1)));
}

}  // namespace slipway::models
