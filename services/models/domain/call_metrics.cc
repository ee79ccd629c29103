#include "services/models/domain/call_metrics.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"

namespace slipway::models {
namespace {

// The first three are named as OpenTelemetry's conventions for generative AI name them.
metrics::Histogram operation_duration(
    {.name = "gen_ai_client_operation_duration_seconds",
     .description = "Time of a call to a provider, from the hold to the end of the reply.",
     .labels = {"gen_ai_provider_name", "gen_ai_request_model", "role", "outcome"}});
metrics::Histogram time_to_first_chunk(
    {.name = "gen_ai_client_operation_time_to_first_chunk_seconds",
     .description = "Time from sending a request to the first text of its reply.",
     .labels = {"gen_ai_provider_name", "gen_ai_request_model", "role"}});
metrics::Counter token_usage({.name = "gen_ai_client_token_usage_tokens_total",
                              .description = "Tokens that providers billed.",
                              .labels = {"gen_ai_provider_name", "gen_ai_request_model", "role",
                                         "gen_ai_token_type"}});
metrics::Counter cost({.name = "slipway_models_cost_usd_nanos_total",
                       .description = "What calls cost, in billionths of a US dollar.",
                       .labels = {"provider", "model", "role"}});
metrics::Counter refusals({.name = "slipway_models_refusals_total",
                           .description = "Calls refused before anything was sent.",
                           .labels = {"role", "reason"}});

}  // namespace

void CountTry(const CallRecord& record, const ProviderResult& result, absl::Duration latency,
              std::optional<absl::Duration> first_text_after) {
  const std::string& role = record.scopes.role;
  operation_duration.Observe({record.provider, record.model, role, record.outcome}, latency);
  if (first_text_after.has_value()) {
    time_to_first_chunk.Observe({record.provider, record.model, role}, *first_text_after);
  }
  const TokenCounts tokens = result.tokens.value_or(TokenCounts());
  const int64_t input =
      tokens.input + tokens.cache_read + tokens.cache_write + tokens.cache_write_long;
  token_usage.Increment({record.provider, record.model, role, "input"},
                        static_cast<uint64_t>(std::max<int64_t>(input, 0)));
  token_usage.Increment({record.provider, record.model, role, "output"},
                        static_cast<uint64_t>(std::max<int64_t>(tokens.output, 0)));
  if (result.kind != ProviderResult::Kind::kFailed) {
    cost.Increment({record.provider, record.model, role},
                   static_cast<uint64_t>(std::max<int64_t>(record.charge_usd_nanos, 0)));
  }
  log::Info("call ended", {{"call", record.id},
                           {"role", role},
                           {"provider", record.provider},
                           {"model", record.model},
                           {"outcome", record.outcome},
                           {"reason", record.reason},
                           {"input_tokens", input},
                           {"output_tokens", tokens.output},
                           {"cost_usd_nanos", record.charge_usd_nanos}});
}

void CountRefusal(const std::string& role, const absl::Status& error) {
  refusals.Increment({role, base::ReasonOf(error)});
}

}  // namespace slipway::models
