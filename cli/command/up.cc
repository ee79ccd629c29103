#include <signal.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/client/up_record.h"
#include "cli/command/families.h"
#include "cli/supervisor/detach.h"
#include "cli/supervisor/suite.h"
#include "cli/supervisor/workspace_place.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/signals.h"

namespace slipway::cli {
namespace {

constexpr absl::Duration kStopGrace = absl::Seconds(10);
constexpr absl::Duration kLockInterval = absl::Milliseconds(20);

struct UpOptions {
  bool detach = false;
  int port = -1;
  int slots = 0;
  std::string models_config;
};

struct DownOptions {
  int timeout_seconds = 60;
};

std::string SuiteJson(const Suite& suite) {
  const UpRecord& record = suite.record();
  const nlohmann::ordered_json json = {{"pid", record.pid},
                                       {"url", record.url},
                                       {"sign_in_url", suite.SignInUrl()},
                                       {"gateway_address", record.gateway_address},
                                       {"grpc_address", record.grpc_address},
                                       {"http_address", record.http_address},
                                       {"data", suite.data().path()}};
  return json.dump();
}

// What people see when the suite is ready. The link works once.
void Announce(const Suite& suite, absl::Duration took, Output& output) {
  if (output.json()) return output.Line(SuiteJson(suite));
  output.Progress(absl::StrCat("Slipway ", suite.record().version, " is ready after ",
                               absl::ToInt64Milliseconds(took), " ms; data in ",
                               suite.data().path()));
  output.Line(suite.SignInUrl());
}

absl::StatusOr<SuiteOptions> SuiteOptionsOf(const UpOptions& options, Invocation& invocation) {
  SuiteOptions suite{.data = invocation.data(), .slots = options.slots};
  if (options.port >= 0) suite.http_port = options.port;
  if (!options.models_config.empty()) {
    ASSIGN_OR_RETURN(const slipway::config::v1::ModelsConfig fragment,
                     LoadModelsFragment(options.models_config));
    suite.adjust = [fragment](SuiteConfig& config) {
      *config.models.mutable_providers() = fragment.providers();
      *config.models.mutable_routes() = fragment.routes();
      return absl::OkStatus();
    };
  }
  return suite;
}

// Runs a suite until a signal ends it. Signals are blocked before the first thread starts.
absl::Status HoldSuite(SuiteOptions options, Invocation& invocation,
                       absl::FunctionRef<void(const Suite&, absl::Duration took)> on_ready) {
  rpc::PrepareProcess();
  signal(SIGHUP, SIG_IGN);  // A terminal that closes is no reason to stop work.
  Output& log = invocation.output();
  options.report = [&log](absl::string_view line) { log.Progress(line); };
  const absl::Duration begin = invocation.clock().Elapsed();
  ASSIGN_OR_RETURN(const std::unique_ptr<Suite> suite,
                   Suite::Start(std::move(options), invocation.clock()));
  on_ready(*suite, invocation.clock().Elapsed() - begin);
  rpc::WaitForSignal();
  suite->Stop(kStopGrace);
  return absl::OkStatus();
}

// In the process of its own: what it prints at its start goes to the parent.
int HoldDetached(const SuiteOptions& options, Invocation& invocation, StartReport& report) {
  std::ostringstream text;
  Output output(text, text,
                {.format = invocation.output().json() ? Format::kJson : Format::kTable});
  const absl::Status status =
      HoldSuite(options, invocation, [&](const Suite& suite, absl::Duration took) {
        Announce(suite, took, output);
        report.Send(0, text.str());
      });
  if (status.ok()) return 0;
  const int code = static_cast<int>(output.Fail(status));
  report.Send(code, text.str());
  return code;
}

absl::StatusOr<ExitCode> Up(const UpOptions& options, Invocation& invocation) {
  ASSIGN_OR_RETURN(SuiteOptions suite, SuiteOptionsOf(options, invocation));
  if (options.detach) {
    RETURN_IF_ERROR(PrepareDataDirectory(suite.data));
    const DetachedStart start = RunDetached(suite.data.Log("up"), [&](StartReport& report) {
      return HoldDetached(suite, invocation, report);
    });
    if (start.exit_code == 0 || invocation.output().json()) {
      invocation.output().Print(start.output);
    } else {
      invocation.output().Progress(absl::StripSuffix(start.output, "\n"));
    }
    return static_cast<ExitCode>(start.exit_code);
  }
  RETURN_IF_ERROR(
      HoldSuite(std::move(suite), invocation, [&](const Suite& ready, absl::Duration took) {
        Announce(ready, took, invocation.output());
      }));
  return ExitCode::kOk;
}

// Waits until nobody holds the lock of the data directory.
bool WaitUntilReleased(const DataDirectory& data, absl::Duration timeout, base::Clock& clock) {
  const absl::Duration end = clock.Elapsed() + timeout;
  base::Mutex mutex;
  base::CondVar never;
  while (!base::LockFile(data.Lock()).ok()) {
    if (clock.Elapsed() >= end) return false;
    base::MutexLock lock(mutex);
    never.WaitFor(mutex, kLockInterval);
  }
  return true;
}

absl::StatusOr<ExitCode> Down(const DownOptions& options, Invocation& invocation) {
  const DataDirectory data = invocation.data();
  const bool held = access(data.Lock().c_str(), F_OK) == 0 &&
                    base::ReasonOf(base::LockFile(data.Lock()).status()) == "LOCKED";
  if (!held) {
    invocation.output().Progress(absl::StrCat("no suite runs in ", data.path()));
    return ExitCode::kOk;
  }
  ASSIGN_OR_RETURN(const UpRecord record, ReadUpRecord(data));
  kill(record.pid, SIGTERM);
  if (!WaitUntilReleased(data, absl::Seconds(options.timeout_seconds), invocation.clock())) {
    return base::Error(absl::StatusCode::kDeadlineExceeded, "STOP_TIMEOUT",
                       absl::StrCat("process ", record.pid, " still runs after ",
                                    options.timeout_seconds, " seconds"),
                       {{"pid", absl::StrCat(record.pid)}});
  }
  invocation.output().Progress(absl::StrCat("stopped the suite in ", data.path()));
  return ExitCode::kOk;
}

}  // namespace

void AddUpCommands(CommandSet& commands) {
  const auto up = std::make_shared<UpOptions>();
  CLI::App& up_command =
      commands.Add("up", "Start the suite in the data directory and keep it running",
                   [up](Invocation& invocation) { return Up(*up, invocation); });
  up_command.add_flag("--detach,-d", up->detach, "Return when it is ready");
  up_command.add_option("--port", up->port, "Port of the page on 127.0.0.1; 0 for any")
      ->check(CLI::Range(0, 65'535));
  up_command.add_option("--agents", up->slots, "Most agents at once")->check(CLI::Range(1, 64));
  up_command.add_option("--models-config", up->models_config,
                        "YAML with providers and routes, as ModelsConfig has them");

  const auto down = std::make_shared<DownOptions>();
  CLI::App& down_command =
      commands.Add("down", "Stop the suite in the data directory",
                   [down](Invocation& invocation) { return Down(*down, invocation); });
  down_command.add_option("--timeout", down->timeout_seconds, "Most seconds to wait")
      ->check(CLI::Range(1, 3'600));
}

}  // namespace slipway::cli
