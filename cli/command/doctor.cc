#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/client/plan_view.h"
#include "cli/client/up_record.h"
#include "cli/command/families.h"
#include "cli/output/hint.h"
#include "cli/supervisor/suite.h"
#include "cli/supervisor/suite_config.h"
#include "lib/base/error.h"
#include "lib/base/process.h"
#include "lib/config/config.h"
#include "lib/sandbox/sandbox.h"

namespace slipway::cli {
namespace {

using gateway::v1::GatewayService;

constexpr uint64_t kFreeBytesLeast = 1ull << 30;   // Below: writing will fail soon.
constexpr uint64_t kFreeBytesPlenty = 5ull << 30;  // Clones and workspaces fit.
constexpr rlim_t kOpenFilesLeast = 1'024;          // Streams and agents hold descriptors.
constexpr int kGitMajorLeast = 2;
constexpr int kGitMinorLeast = 30;

enum class Grade { kOk, kWarn, kFail };

struct Finding {
  std::string check;
  Grade grade = Grade::kOk;
  std::string detail;
  std::string advice;  // Empty when all is well.
};

const char* GradeText(Grade grade) {
  return grade == Grade::kOk ? "OK" : grade == Grade::kWarn ? "WARN" : "FAIL";
}

Tone ToneOf(Grade grade) {
  return grade == Grade::kOk ? Tone::kGood : grade == Grade::kWarn ? Tone::kWarning : Tone::kBad;
}

Finding CheckPrograms() {
  std::vector<std::string> missing;
  std::vector<std::string> names = ServiceNames();
  names.push_back("agent");
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(ProgramDirectory(), "/slipway-", name);
    if (access(path.c_str(), X_OK) != 0) missing.push_back(absl::StrCat("slipway-", name));
  }
  if (missing.empty()) return {"programs", Grade::kOk, ProgramDirectory(), ""};
  return {"programs", Grade::kFail,
          absl::StrCat("missing in ", ProgramDirectory(), ": ", absl::StrJoin(missing, ", ")),
          "build or install the whole suite into one directory"};
}

Finding CheckSandbox() {
  const absl::Status status = sandbox::Check();
  if (status.ok()) return {"sandbox", Grade::kOk, "bubblewrap isolates a probe", ""};
  return {"sandbox", Grade::kFail, std::string(status.message()), HintFor(status)};
}

Finding CheckGit() {
  base::Process::Options options;
  options.argv = {"git", "--version"};
  options.inherit_env = true;
  const absl::StatusOr<base::CommandResult> result =
      base::RunCommand(std::move(options), absl::Seconds(10));
  if (!result.ok() || !result->exit.ok()) {
    return {"git", Grade::kFail, "git does not run", "install git 2.30 or newer"};
  }
  const std::string version(absl::StripAsciiWhitespace(result->out));
  const std::vector<std::string> words = absl::StrSplit(version, ' ');
  const std::vector<std::string> parts =
      absl::StrSplit(words.size() > 2 ? words[2] : std::string(), '.');
  int major = 0, minor = 0;
  const bool known =
      parts.size() > 1 && absl::SimpleAtoi(parts[0], &major) && absl::SimpleAtoi(parts[1], &minor);
  const bool enough =
      known && (major > kGitMajorLeast || (major == kGitMajorLeast && minor >= kGitMinorLeast));
  if (enough) return {"git", Grade::kOk, version, ""};
  return {"git", Grade::kFail, version, "install git 2.30 or newer"};
}

Finding CheckDataDirectory(const DataDirectory& data) {
  struct stat status;
  if (stat(data.path().c_str(), &status) != 0) {
    return {"data directory", Grade::kOk, absl::StrCat(data.path(), " will be made"), ""};
  }
  if (status.st_uid != geteuid()) {
    return {"data directory", Grade::kFail, absl::StrCat(data.path(), " belongs to another user"),
            "choose another one with --data DIR"};
  }
  if (access(data.path().c_str(), R_OK | W_OK | X_OK) != 0) {
    return {"data directory", Grade::kFail, absl::StrCat(data.path(), " cannot be written"),
            absl::StrCat("chmod 700 ", data.path())};
  }
  if ((status.st_mode & (S_IWGRP | S_IRGRP | S_IWOTH | S_IROTH)) != 0) {
    return {"data directory", Grade::kWarn, absl::StrCat(data.path(), " is open to others"),
            absl::StrCat("chmod go-rw ", data.path())};
  }
  return {"data directory", Grade::kOk, data.path(), ""};
}

Finding CheckDisk(const DataDirectory& data) {
  std::string path = data.path();
  while (access(path.c_str(), F_OK) != 0 && path.size() > 1) {
    path.resize(std::max<size_t>(path.rfind('/'), 1));
  }
  struct statvfs status;
  if (statvfs(path.c_str(), &status) != 0) {
    return {"disk", Grade::kWarn, absl::StrCat("cannot look at ", path), "check the path"};
  }
  const uint64_t free = static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
  const std::string text = absl::StrCat(free >> 20, " MiB free");
  if (free < kFreeBytesLeast) return {"disk", Grade::kFail, text, "free at least 1 GiB"};
  if (free < kFreeBytesPlenty) return {"disk", Grade::kWarn, text, "5 GiB are comfortable"};
  return {"disk", Grade::kOk, text, ""};
}

Finding CheckOpenFiles() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  const std::string text = absl::StrCat(limit.rlim_cur, " open files");
  if (limit.rlim_cur >= kOpenFilesLeast) return {"open files", Grade::kOk, text, ""};
  return {"open files", Grade::kWarn, text, "raise the limit: ulimit -n 4096"};
}

// Where the key of a provider should be.
struct KeyPlace {
  bool needed = false;
  std::string file;
  std::string variable;
};

KeyPlace KeyPlaceOf(const slipway::config::v1::ModelProvider& provider) {
  const auto place = [](const auto& kind) {
    return KeyPlace{.needed = true, .file = kind.key_file(), .variable = kind.key_variable()};
  };
  if (provider.has_openai()) return place(provider.openai());
  if (provider.has_anthropic()) return place(provider.anthropic());
  if (provider.has_openai_chat() && !provider.openai_chat().local()) {
    return place(provider.openai_chat());
  }
  const std::string& cli_key = provider.claude_cli().key_file();
  return {.needed = !cli_key.empty(), .file = cli_key};
}

// Where a key should be, without ever showing it.
Finding CheckKey(const slipway::config::v1::ModelProvider& provider) {
  const std::string name = absl::StrCat("provider ", provider.name());
  const KeyPlace place = KeyPlaceOf(provider);
  if (!place.needed) return {name, Grade::kOk, "needs no key", ""};
  if (!place.file.empty()) {
    if (access(place.file.c_str(), R_OK) == 0) {
      return {name, Grade::kOk, absl::StrCat("key in ", place.file), ""};
    }
    return {name, Grade::kFail, absl::StrCat("cannot read ", place.file),
            "write the key into that file, readable by you only"};
  }
  if (!place.variable.empty()) {
    const char* const value = std::getenv(place.variable.c_str());
    if (value != nullptr && *value != '\0') {
      return {name, Grade::kOk, absl::StrCat("key in $", place.variable), ""};
    }
    return {name, Grade::kWarn, absl::StrCat("$", place.variable, " is not set here"),
            "set it before slipway up"};
  }
  return {name, Grade::kWarn, "no key configured", "set key_file or key_variable"};
}

void CheckProviders(const DataDirectory& data, std::vector<Finding>& findings) {
  if (access(data.Config("models").c_str(), F_OK) != 0) return;
  const absl::StatusOr<slipway::config::v1::ModelsConfig> models =
      config::Load<slipway::config::v1::ModelsConfig>(data.Config("models"));
  if (!models.ok()) {
    findings.push_back({"providers", Grade::kFail, std::string(models.status().message()),
                        "correct the file that is named"});
    return;
  }
  if (models->providers().empty()) {
    findings.push_back({"providers", Grade::kWarn, "no provider of models is configured",
                        "slipway up --models-config FILE; see docs/quickstart.md"});
  }
  for (const auto& provider : models->providers()) findings.push_back(CheckKey(provider));
}

void CheckServices(Invocation& invocation, std::vector<Finding>& findings) {
  absl::Status connected = invocation.Connect();
  if (base::ReasonOf(connected) == "NOT_RUNNING") {
    findings.push_back({"services", Grade::kWarn, "no suite runs here", HintFor(connected)});
    return;
  }
  absl::StatusOr<gateway::v1::GetStatusResponse> status =
      connected.ok() ? invocation.connection().Call(invocation.connection().gateway(),
                                                    &GatewayService::StubInterface::GetStatus, {})
                     : connected;
  if (!status.ok()) {
    findings.push_back({"services", Grade::kFail, std::string(status.status().message()),
                        HintFor(status.status())});
    return;
  }
  for (const auto& service : status->services()) {
    findings.push_back(
        {service.name(), service.serving() ? Grade::kOk : Grade::kFail,
         service.serving() ? "serves" : service.problem(),
         service.serving() ? "" : absl::StrCat("see ", invocation.data().Log(service.name()))});
  }
}

// What the models service found when it last looked at its providers, which costs nothing.
void CheckHealth(Invocation& invocation, std::vector<Finding>& findings) {
  if (!invocation.Connect().ok()) return;  // Said before.
  Connection& connection = invocation.connection();
  const auto list = connection.Call(connection.models(),
                                    &models::v1::ModelsService::StubInterface::ListProviders, {});
  if (!list.ok()) return;  // The service is down, which was said before.
  for (const models::v1::Provider& provider : list->providers()) {
    const std::string name = absl::StrCat("health of ", LastId(provider.name()));
    if (!provider.closed_gates().empty()) {
      const models::v1::Gate& gate = provider.closed_gates(0);
      findings.push_back(
          {name, gate.has_until_time() ? Grade::kWarn : Grade::kFail,
           absl::StrCat(gate.name(), " is closed (", gate.cause(), "): ", gate.detail()),
           gate.has_until_time() ? "it opens by itself: slipway models gates"
                                 : "correct the key or the account; then "
                                   "slipway models open GATE"});
    } else if (provider.has_check_time()) {
      findings.push_back({name, provider.healthy() ? Grade::kOk : Grade::kWarn,
                          provider.healthy() ? "answers and takes its key" : provider.last_error(),
                          provider.healthy() ? "" : "check its address, the network and the key"});
    }
  }
}

void Print(const std::vector<Finding>& findings, Output& output) {
  if (output.json()) {
    nlohmann::ordered_json checks = nlohmann::ordered_json::array();
    for (const Finding& finding : findings) {
      checks.push_back({{"check", finding.check},
                        {"grade", GradeText(finding.grade)},
                        {"detail", finding.detail},
                        {"advice", finding.advice}});
    }
    return output.Line(nlohmann::ordered_json{{"checks", checks}}.dump(
        -1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
  TextTable table({{""}, {"CHECK"}, {"FOUND"}, {"WHAT TO DO"}});
  for (const Finding& finding : findings) {
    table.Add({Cell(GradeText(finding.grade), ToneOf(finding.grade)), finding.check, finding.detail,
               finding.advice});
  }
  output.Table(table);
}

absl::StatusOr<ExitCode> Doctor(Invocation& invocation) {
  const DataDirectory data = invocation.data();
  std::vector<Finding> findings = {CheckPrograms(),          CheckSandbox(),  CheckGit(),
                                   CheckDataDirectory(data), CheckDisk(data), CheckOpenFiles()};
  CheckProviders(data, findings);
  CheckServices(invocation, findings);
  CheckHealth(invocation, findings);
  Print(findings, invocation.output());
  for (const Finding& finding : findings) {
    if (finding.grade == Grade::kFail) return ExitCode::kFailed;
  }
  return ExitCode::kOk;
}

}  // namespace

void AddDoctorCommand(CommandSet& commands) {
  commands.Add("doctor", "Check this machine and the suite, and say what to do", Doctor);
}

}  // namespace slipway::cli
