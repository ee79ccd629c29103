#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/client/data_directory.h"
#include "cli/client/up_record.h"
#include "cli/supervisor/service_process.h"
#include "cli/supervisor/suite_config.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"

namespace slipway::cli {

// The port of the page when nobody chooses one and it is free.
inline constexpr int kHttpPortDefault = 7478;

struct SuiteOptions {
  DataDirectory data;
  std::string program_directory;  // Empty: where this program is.
  // Unset: kHttpPortDefault, or any when that is taken. 0: any.
  std::optional<int> http_port;
  int slots = 0;  // Agents at once; 0: as many as this machine has processors, 2 to 8.
  // Last changes to the configuration, after the overrides in the data directory; may be empty.
  std::function<absl::Status(SuiteConfig&)> adjust;
  // Told in one line what a person wants to know; from any thread.
  std::function<void(absl::string_view)> report = [](absl::string_view) {};
  absl::Duration start_timeout = absl::Seconds(15);
};

// Every service of a suite as child processes in one data directory, which it holds alone. Services
// that end are started again. All of them die with this object and with this process.
// Thread-safe.
class Suite final {
 public:
  // Returns when every service serves. Fails with RUNNING_ALREADY (with pid and url),
  // DATA_DIRECTORY_UNUSABLE, BINARY_MISSING, PORT_TAKEN, CONFIG_INVALID, SERVICE_FAILED (with the
  // end of its log) or START_TIMEOUT.
  static absl::StatusOr<std::unique_ptr<Suite>> Start(SuiteOptions options, base::Clock& clock);

  ~Suite();

  const DataDirectory& data() const { return options_.data; }
  const UpRecord& record() const { return record_; }

  // A link that signs its first user in as administrator.
  std::string SignInUrl() const;

  // Of a service, by name; 0 while it does not run.
  ServiceProcess::State StateOf(absl::string_view service) const;

  // Stops the services, the last started first; each may take `grace`. Idempotent. Not while
  // another thread is in Stop.
  void Stop(absl::Duration grace = absl::Seconds(10));

 private:
  Suite(SuiteOptions options, base::Clock& clock);

  absl::Status Launch();
  absl::Status TakeLock();
  absl::Status CheckPrograms() const;
  absl::StatusOr<SuiteConfig> MakeConfig();
  absl::Status WaitUntilReady();
  absl::Status CheckStarting() const;

  SuiteOptions options_;
  base::Clock& clock_;
  base::UniqueFd lock_;
  std::string one_time_token_;
  UpRecord record_;
  std::vector<std::unique_ptr<ServiceProcess>> services_;  // In the order of ServiceNames().
};

// The directory of the running program.
std::string ProgramDirectory();

// Version of the suite.
std::string Version();

}  // namespace slipway::cli
