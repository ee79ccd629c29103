#include "cli/demo/demo_suite.h"

#include "cli/supervisor/workspace_place.h"
#include "cli/supervisor/yaml_writer.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

namespace pb = slipway::config::v1;

// Two tasks of the sample run at once, and their validators beside them.
constexpr int kSlots = 4;
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

absl::Status PrepareDemoData(const DataDirectory& data, const Sample& sample) {
  pb::ModelsConfig models;
  pb::ModelProvider& provider = *models.add_providers();
  provider.set_name("scripted");
  provider.mutable_scripted()->set_script(sample.script);
  provider.mutable_scripted()->set_call_log(CallLogPath(data));
  AddRoute("frontier_reviewer", "scripted-large", models);
  AddRoute("general_builder", "scripted-large", models);
  AddRoute("*", "scripted-small", models);
  pb::LedgerConfig ledger;
  ledger.add_price_files(sample.prices);
  RETURN_IF_ERROR(PrepareDataDirectory(data));
  RETURN_IF_ERROR(base::WriteFileAtomic(data.Overrides("models"), ToYaml(models)));
  return base::WriteFileAtomic(data.Overrides("ledger"), ToYaml(ledger));
}

SuiteOptions DemoSuiteOptions(const DataDirectory& data) {
  return {.data = data, .http_port = 0, .slots = kSlots};
}

}  // namespace slipway::cli
