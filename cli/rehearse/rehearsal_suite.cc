#include "cli/rehearse/rehearsal_suite.h"

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

namespace pb = slipway::config::v1;

constexpr char kRehearsalPrices[] =
    "version: 1\n"
    "prices:\n"
    "  - provider: scripted\n"
    "    model: history\n"
    "    effective: 2000-01-01\n"
    "    usd_per_mtok: {input: 0, output: 0}\n"
    "    source: replies from a file cost nothing\n";

// A prompt lists the files of the repository, which may be many.
constexpr int64_t kInputTokensMax = 2'000'000;

}  // namespace

std::string RehearsalDirectory(const DataDirectory& data) { return data.File("rehearsal"); }

absl::StatusOr<SuiteOptions> RehearsalSuiteOptions(const DataDirectory& data, int slots) {
  const std::string directory = RehearsalDirectory(data);
  const std::string prices = absl::StrCat(directory, "/prices.yaml");
  RETURN_IF_ERROR(base::WriteFileAtomic(prices, kRehearsalPrices));
  SuiteOptions options{.data = data, .http_port = 0, .slots = slots};
  options.adjust = [directory, prices](SuiteConfig& config) {
    config.models.clear_providers();
    config.models.clear_routes();
    pb::ModelProvider& provider = *config.models.add_providers();
    provider.set_name("scripted");
    provider.mutable_scripted()->set_script(absl::StrCat(directory, "/script.json"));
    provider.mutable_scripted()->set_call_log(absl::StrCat(directory, "/calls.jsonl"));
    pb::ModelRoute& route = *config.models.add_routes();
    route.set_role("*");
    route.set_provider("scripted");
    route.set_model("history");
    route.set_input_tokens_max(kInputTokensMax);
    config.ledger.clear_price_files();
    config.ledger.add_price_files(prices);
    // The user's own validators, named on the command line.
    for (auto* const programs : {config.agent.mutable_validator_programs(),
                                 config.reviewer.mutable_validator_programs()}) {
      programs->Clear();
      programs->Add("*");
    }
    for (pb::AgentHost& host : *config.dispatcher.mutable_hosts()) {
      if (host.has_process()) host.mutable_process()->set_warm(host.slots());
    }
    return absl::OkStatus();
  };
  return options;
}

}  // namespace slipway::cli
