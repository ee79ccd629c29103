#include "services/gateway/domain/access_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "services/gateway/domain/limits.h"

namespace slipway::gateway {
namespace {

metrics::Counter denied_calls({.name = "slipway_gateway_denied_total",
                               .description = "Requests denied, by the role that they need.",
                               .labels = {"required_role"}});
metrics::Counter lost_records({.name = "slipway_gateway_access_records_lost_total",
                               .description = "Denials and calls that were not recorded as events.",
                               .labels = {"kind"}});

std::string ToJson(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

AccessLog::AccessLog(Append append, base::Executor& executor, base::Clock& clock)
    : append_(std::move(append)),
      executor_(executor),
      clock_(clock),
      denials_left_(kDenialsBurst),
      refilled_(clock.Elapsed()) {}

void AccessLog::Denied(absl::string_view method, absl::string_view principal, Role required) {
  denied_calls.Increment({RoleName(required)});
  if (!TakeDenial()) return lost_records.Increment({"access.denied"});
  Record("access.denied", ToJson({{"method", std::string(method)},
                                  {"principal", std::string(principal)},
                                  {"required_role", std::string(RoleName(required))}}));
}

void AccessLog::Called(absl::string_view method, absl::string_view principal,
                       absl::string_view code) {
  Record("method.called", ToJson({{"method", std::string(method)},
                                  {"principal", std::string(principal)},
                                  {"code", std::string(code)}}));
}

bool AccessLog::TakeDenial() {
  base::MutexLock lock(mutex_);
  const absl::Duration now = clock_.Elapsed();
  denials_left_ = std::min(
      kDenialsBurst, denials_left_ + kDenialsPerSecond * absl::ToDoubleSeconds(now - refilled_));
  refilled_ = now;
  if (denials_left_ < 1) return false;
  denials_left_ -= 1;
  return true;
}

void AccessLog::Record(absl::string_view kind, const std::string& facts_json) {
  events::EventDraft draft;
  draft.kind = std::string(kind);
  draft.payload_json = events::PayloadJson(kind, facts_json);
  const absl::Status queued = executor_.TryRun([this, draft] {
    const absl::Status appended = append_(draft);
    if (appended.ok()) return;
    lost_records.Increment({draft.kind});
    log::Error("a record of access was lost",
               {{"kind", draft.kind}, {"error", appended.message()}});
  });
  if (!queued.ok()) lost_records.Increment({kind});
}

}  // namespace slipway::gateway
