#include "cli/demo/demo_suite.h"

namespace slipway::cli {
namespace {

namespace pb = slipway::config::v1;

// Two tasks of the sample run at once, and their validators beside them.
constexpr int kSlots = 4;
constexpr int kWarmAgents = 2;
// What the longest reply of the sample has, and room.
constexpr int64_t kOutputTokensMax = 4'000;

void AddRoute(const std::string& role, const std::string& model, pb::ModelsConfig& config) {
  pb::ModelRoute& route = *config.add_routes();
  route.set_role(role);
  route.set_provider("scripted");
  route.set_model(model);
  route.set_output_tokens_max(kOutputTokensMax);
}

}  // namespace

std::string CallLogPath(const DataDirectory& data) { return data.File("models/calls.jsonl"); }

SuiteOptions DemoSuiteOptions(const DataDirectory& data, const Sample& sample) {
  SuiteOptions options{.data = data, .http_port = 0, .slots = kSlots};
  options.adjust = [data, sample](SuiteConfig& config) {
    config.models.clear_providers();
    config.models.clear_routes();
    pb::ModelProvider& provider = *config.models.add_providers();
    provider.set_name("scripted");
    provider.mutable_scripted()->set_script(sample.script);
    provider.mutable_scripted()->set_call_log(CallLogPath(data));
    AddRoute("frontier_reviewer", "scripted-large", config.models);
    AddRoute("general_builder", "scripted-large", config.models);
    AddRoute("*", "scripted-small", config.models);
    config.ledger.clear_price_files();
    config.ledger.add_price_files(sample.prices);
    for (pb::AgentHost& host : *config.dispatcher.mutable_hosts()) {
      if (host.has_process()) host.mutable_process()->set_warm(kWarmAgents);
    }
    return absl::OkStatus();
  };
  return options;
}

}  // namespace slipway::cli
