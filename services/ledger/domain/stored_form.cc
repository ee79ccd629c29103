#include "services/ledger/domain/stored_form.h"

#include <nlohmann/json.hpp>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace slipway::ledger {
namespace {

using nlohmann::json;

absl::Status Invalid(const char* what) {
  return base::Error(absl::StatusCode::kInternal, "STORED_FORM_INVALID", what);
}

json ToJson(const Balance& balance) {
  const Budget& budget = balance.budget;
  const Bucket& bucket = balance.bucket;
  json form = {{"id", budget.id},
               {"scope", budget.scope},
               {"metric", static_cast<int>(budget.metric)},
               {"window", static_cast<int>(budget.window)},
               {"time_zone", budget.time_zone},
               {"version", budget.version},
               {"frozen", budget.frozen},
               {"warn_percents", budget.warn_percents},
               {"window_start", absl::ToUnixMicros(bucket.window_start)},
               {"posted", bucket.posted},
               {"reserved", bucket.reserved},
               {"overage", bucket.overage},
               {"bucket_frozen", bucket.frozen}};
  if (budget.limit.has_value()) form["limit"] = *budget.limit;
  return form;
}

Balance FromJson(const json& form) {
  Balance balance;
  Budget& budget = balance.budget;
  Bucket& bucket = balance.bucket;
  budget.id = form.at("id").get<std::string>();
  budget.scope = form.at("scope").get<std::string>();
  budget.metric = static_cast<Metric>(form.at("metric").get<int>());
  budget.window = static_cast<Window>(form.at("window").get<int>());
  budget.time_zone = form.at("time_zone").get<std::string>();
  budget.version = form.at("version").get<int64_t>();
  budget.frozen = form.at("frozen").get<bool>();
  budget.warn_percents = form.at("warn_percents").get<std::vector<int32_t>>();
  if (form.contains("limit")) budget.limit = form.at("limit").get<int64_t>();
  bucket.budget = budget.id;
  bucket.window_start = absl::FromUnixMicros(form.at("window_start").get<int64_t>());
  bucket.posted = form.at("posted").get<int64_t>();
  bucket.reserved = form.at("reserved").get<int64_t>();
  bucket.overage = form.at("overage").get<int64_t>();
  bucket.frozen = form.at("bucket_frozen").get<bool>();
  return balance;
}

}  // namespace

std::string EncodeBalance(const Balance& balance) { return ToJson(balance).dump(); }

absl::StatusOr<Balance> DecodeBalance(absl::string_view text) {
  try {
    return FromJson(json::parse(text.begin(), text.end()));
  } catch (const json::exception& exception) {
    return Invalid(exception.what());
  }
}

std::string EncodeDenial(const Denial& denial) {
  json form = {{"cause", static_cast<int>(denial.cause)}, {"requested", denial.requested}};
  if (denial.balance.has_value()) form["balance"] = ToJson(*denial.balance);
  if (denial.retry_time.has_value()) form["retry"] = absl::ToUnixMicros(*denial.retry_time);
  if (!denial.frozen_scope.empty()) form["frozen_scope"] = denial.frozen_scope;
  return form.dump();
}

absl::StatusOr<Denial> DecodeDenial(absl::string_view text) {
  try {
    const json form = json::parse(text.begin(), text.end());
    Denial denial;
    denial.cause = static_cast<DenialCause>(form.at("cause").get<int>());
    denial.requested = form.at("requested").get<int64_t>();
    if (form.contains("balance")) denial.balance = FromJson(form.at("balance"));
    if (form.contains("retry")) {
      denial.retry_time = absl::FromUnixMicros(form.at("retry").get<int64_t>());
    }
    if (form.contains("frozen_scope")) {
      denial.frozen_scope = form.at("frozen_scope").get<std::string>();
    }
    return denial;
  } catch (const json::exception& exception) {
    return Invalid(exception.what());
  }
}

}  // namespace slipway::ledger
