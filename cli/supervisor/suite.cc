#include "cli/supervisor/suite.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/supervisor/log_file.h"
#include "cli/supervisor/loopback_port.h"
#include "cli/supervisor/readiness.h"
#include "cli/supervisor/workspace_place.h"
#include "lib/base/error.h"
#include "lib/base/id_generator.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

// A service that ended so often before it served will not serve.
constexpr int kStartsMax = 3;
constexpr int kLogLinesShown = 3;

std::string ProgramPath(const SuiteOptions& options, absl::string_view service) {
  return absl::StrCat(options.program_directory, "/slipway-", service);
}

absl::Status RunningAlready(const DataDirectory& data) {
  const absl::StatusOr<UpRecord> record = ReadUpRecord(data);
  if (!record.ok()) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "RUNNING_ALREADY",
                       absl::StrCat("a suite is starting or stopping in ", data.path()),
                       {{"data", data.path()}});
  }
  return base::Error(
      absl::StatusCode::kFailedPrecondition, "RUNNING_ALREADY",
      absl::StrCat("a suite runs in ", data.path(), " already: process ", record->pid, ", ",
                   record->url),
      {{"data", data.path()}, {"pid", absl::StrCat(record->pid)}, {"url", record->url}});
}

int DefaultSlots() {
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 2u, 8u));
}

}  // namespace

std::string ProgramDirectory() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "." : program.parent_path().string();
}

std::string Version() { return SLIPWAY_VERSION; }

absl::StatusOr<std::unique_ptr<Suite>> Suite::Start(SuiteOptions options, base::Clock& clock) {
  if (options.program_directory.empty()) options.program_directory = ProgramDirectory();
  if (options.slots == 0) options.slots = DefaultSlots();
  std::unique_ptr<Suite> suite(new Suite(std::move(options), clock));
  RETURN_IF_ERROR(suite->Launch());
  return suite;
}

Suite::Suite(SuiteOptions options, base::Clock& clock)
    : options_(std::move(options)), clock_(clock) {}

Suite::~Suite() { Stop(absl::Seconds(2)); }

absl::Status Suite::Launch() {
  RETURN_IF_ERROR(CheckPrograms());
  RETURN_IF_ERROR(PrepareDataDirectory(options_.data));
  RETURN_IF_ERROR(TakeLock());
  ASSIGN_OR_RETURN(SuiteConfig config, MakeConfig());
  RETURN_IF_ERROR(WriteSuiteConfig(options_.data, config));
  one_time_token_ = base::RandomIds().NewSecret("once-");
  RETURN_IF_ERROR(base::WriteFileAtomic(options_.data.OneTimeToken(), one_time_token_ + "\n"));
  record_ = {.pid = getpid(),
             .version = Version(),
             .url = absl::StrCat("http://", config.gateway.http_address()),
             .gateway_address = config.gateway.listen().address(),
             .http_address = config.gateway.http_address()};
  if (config.gateway.extra_addresses_size() > 0) {
    record_.grpc_address = config.gateway.extra_addresses(0);
  }
  for (const std::string& name : ServiceNames()) {
    services_.push_back(std::make_unique<ServiceProcess>(
        ServiceProcess::Options{
            .name = name,
            .argv = {ProgramPath(options_, name), "--config", options_.data.Config(name)},
            .log_path = options_.data.Log(name),
            .report = options_.report},
        clock_));
  }
  RETURN_IF_ERROR(WaitUntilReady());
  return WriteUpRecord(options_.data, record_);
}

absl::Status Suite::TakeLock() {
  absl::StatusOr<base::UniqueFd> lock = base::LockFile(options_.data.Lock());
  if (base::ReasonOf(lock.status()) == "LOCKED") return RunningAlready(options_.data);
  if (!lock.ok()) return lock.status();
  lock_ = *std::move(lock);
  unlink(options_.data.UpRecordPath().c_str());  // Of one that was killed.
  return absl::OkStatus();
}

absl::Status Suite::CheckPrograms() const {
  std::vector<std::string> names = ServiceNames();
  names.push_back("agent");
  for (const std::string& name : names) {
    const std::string path = ProgramPath(options_, name);
    if (access(path.c_str(), X_OK) == 0) continue;
    return base::Error(absl::StatusCode::kFailedPrecondition, "BINARY_MISSING",
                       absl::StrCat("there is no program ", path), {{"program", path}});
  }
  return absl::OkStatus();
}

absl::StatusOr<SuiteConfig> Suite::MakeConfig() {
  ASSIGN_OR_RETURN(const int port, ChoosePort(options_.http_port, kHttpPortDefault));
  ASSIGN_OR_RETURN(const int grpc_port, ChoosePort(std::nullopt, port + 1));
  ASSIGN_OR_RETURN(const std::string agent,
                   ReachableAgent(options_.data, ProgramPath(options_, "agent")));
  SuiteConfig config =
      DefaultSuiteConfig(options_.data, {.agent_program = agent,
                                         .workspace_directory = WorkspaceDirectory(options_.data),
                                         .http_port = port,
                                         .grpc_port = grpc_port,
                                         .slots = options_.slots});
  RETURN_IF_ERROR(ApplyOverrides(options_.data, config));
  if (options_.adjust) RETURN_IF_ERROR(options_.adjust(config));
  return config;
}

absl::Status Suite::WaitUntilReady() {
  const absl::Duration end = clock_.Elapsed() + options_.start_timeout;
  for (const std::unique_ptr<ServiceProcess>& service : services_) {
    const absl::Status ready =
        WaitUntilServing(absl::StrCat("unix:", options_.data.Socket(service->name())),
                         end - clock_.Elapsed(), clock_, [this] { return CheckStarting(); });
    if (ready.ok()) continue;
    if (!absl::IsDeadlineExceeded(ready)) return ready;
    return base::Error(absl::StatusCode::kUnavailable, "START_TIMEOUT",
                       absl::StrCat(service->name(), " is not ready after ",
                                    absl::FormatDuration(options_.start_timeout), "; its log is ",
                                    options_.data.Log(service->name())),
                       {{"service", service->name()}});
  }
  return absl::OkStatus();
}

absl::Status Suite::CheckStarting() const {
  for (const std::unique_ptr<ServiceProcess>& service : services_) {
    const ServiceProcess::State state = service->state();
    if (state.starts < kStartsMax || state.last_problem.empty()) continue;
    const std::string log = options_.data.Log(service->name());
    return base::Error(
        absl::StatusCode::kFailedPrecondition, "SERVICE_FAILED",
        absl::StrCat(service->name(), " does not start: ", state.last_problem, "; its log, ", log,
                     ", ends with: ", LogTail(log, kLogLinesShown)),
        {{"service", service->name()}, {"log", log}});
  }
  return absl::OkStatus();
}

std::string Suite::SignInUrl() const {
  return absl::StrCat(record_.url, "/#token=", one_time_token_);
}

ServiceProcess::State Suite::StateOf(absl::string_view service) const {
  for (const std::unique_ptr<ServiceProcess>& process : services_) {
    if (process->name() == service) return process->state();
  }
  return {};
}

void Suite::Stop(absl::Duration grace) {
  if (!lock_.valid()) return;
  unlink(options_.data.UpRecordPath().c_str());
  for (auto service = services_.rbegin(); service != services_.rend(); ++service) {
    if (!(*service)->Stop(grace)) {
      options_.report(absl::StrCat((*service)->name(), " did not stop in ",
                                   absl::FormatDuration(grace), " and was killed"));
    }
  }
  unlink(options_.data.OneTimeToken().c_str());
  lock_.Close();
}

}  // namespace slipway::cli
