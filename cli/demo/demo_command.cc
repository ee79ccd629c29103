#include "cli/demo/demo_command.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/demo/demo_run.h"
#include "cli/supervisor/trial_directory.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/signals.h"

namespace slipway::cli {
namespace {

struct DemoOptions {
  std::string example;
  bool keep = false;
};

absl::StatusOr<ExitCode> Demo(const DemoOptions& options, Invocation& invocation) {
  rpc::PrepareProcess();  // An interrupted demo stops its services and removes its data.
  ASSIGN_OR_RETURN(Sample sample, FindSample(options.example));
  ASSIGN_OR_RETURN(const TrialDirectory directory,
                   TrialDirectory::Make("demo", invocation.options().target.data, options.keep));
  Output& output = invocation.output();
  DemoDisplay display(output, invocation.clock());
  absl::StatusOr<DemoSummary> summary =
      DemoRun(DataDirectory(directory.path()), std::move(sample), display, invocation.clock())
          .Run();
  if (!summary.ok()) {
    if (directory.keep()) output.Progress(absl::StrCat("the data is in ", directory.path()));
    return summary.status();
  }
  if (directory.keep()) summary->data = directory.path();
  if (output.json()) output.Line(summary->Json());
  display.ShowEnd(*summary);
  return summary->Problems().empty() ? ExitCode::kOk : ExitCode::kFailed;
}

}  // namespace

void AddDemoCommand(CommandSet& commands) {
  const auto options = std::make_shared<DemoOptions>();
  CLI::App& command = commands.Add(
      "demo", "Drive a sample project from its spec to merged code, without a key or a network",
      [options](Invocation& invocation) { return Demo(*options, invocation); });
  command.add_option("--example", options->example, "Directory of the sample");
  command.add_flag("--keep", options->keep, "Keep the data directory, to look into it");
}

}  // namespace slipway::cli
