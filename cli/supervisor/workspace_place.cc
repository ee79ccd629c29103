#include "cli/supervisor/workspace_place.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/rpc/socket_path.h"

namespace slipway::cli {
namespace {

constexpr const char* kPrivateDirectories[] = {"config",
                                               "run",
                                               "logs",
                                               "overrides",
                                               "ledger",
                                               "models",
                                               "reviewer",
                                               "dispatcher",
                                               "planner",
                                               "gateway",
                                               "reviewer/repositories",
                                               "dispatcher/logs"};

absl::Status Unusable(const DataDirectory& data, absl::string_view why) {
  return base::Error(absl::StatusCode::kFailedPrecondition, "DATA_DIRECTORY_UNUSABLE",
                     absl::StrCat("cannot use ", data.path(), ": ", why), {{"data", data.path()}});
}

bool IsRoot() { return geteuid() == 0; }

absl::Status Make(const DataDirectory& data, const std::string& path, mode_t mode) {
  absl::Status made = base::MakeDirectories(path);
  if (!made.ok()) return Unusable(data, made.message());
  struct stat status;
  if (lstat(path.c_str(), &status) != 0) return Unusable(data, std::strerror(errno));
  if (!S_ISDIR(status.st_mode)) return Unusable(data, absl::StrCat(path, " is no directory"));
  if (status.st_uid != geteuid()) {
    return Unusable(data, absl::StrCat(path, " belongs to another user"));
  }
  if (chmod(path.c_str(), mode) != 0) return Unusable(data, std::strerror(errno));
  return absl::OkStatus();
}

bool ReachableForOthers(const std::string& path) {
  for (std::filesystem::path at = std::filesystem::path(path).parent_path();;
       at = at.parent_path()) {
    struct stat status;
    if (stat(at.c_str(), &status) != 0 || (status.st_mode & S_IXOTH) == 0) return false;
    if (at == at.root_path()) return true;
  }
}

}  // namespace

absl::Status PrepareDataDirectory(const DataDirectory& data) {
  const std::string longest = data.Socket("dispatcher-admin");
  if (longest.size() > rpc::kSocketPathBytesMax) {
    return Unusable(data, absl::StrCat("its path is ", longest.size() - rpc::kSocketPathBytesMax,
                                       " characters too long for sockets"));
  }
  RETURN_IF_ERROR(Make(data, data.path(), IsRoot() ? 0711 : 0700));
  for (const char* const directory : kPrivateDirectories) {
    RETURN_IF_ERROR(Make(data, data.File(directory), 0700));
  }
  return Make(data, WorkspaceDirectory(data), IsRoot() ? 0711 : 0700);
}

std::string WorkspaceDirectory(const DataDirectory& data) {
  if (!IsRoot() || ReachableForOthers(data.path())) return data.File("agents");
  return absl::StrCat("/var/lib/slipway-agents-", base::Sha256Hex(data.path()).substr(0, 12));
}

absl::StatusOr<std::string> ReachableAgent(const DataDirectory& data, const std::string& program) {
  if (!IsRoot() || ReachableForOthers(program)) return program;
  const std::string directory = absl::StrCat(WorkspaceDirectory(data), "-program");
  RETURN_IF_ERROR(Make(data, directory, 0711));
  const std::string copy = absl::StrCat(directory, "/slipway-agent");
  const std::string fresh = absl::StrCat(copy, ".new");
  std::error_code error;
  std::filesystem::copy_file(program, fresh, std::filesystem::copy_options::overwrite_existing,
                             error);
  if (error) return Unusable(data, absl::StrCat("copy ", program, ": ", error.message()));
  if (chmod(fresh.c_str(), 0755) != 0 || rename(fresh.c_str(), copy.c_str()) != 0) {
    return Unusable(data, absl::StrCat(copy, ": ", std::strerror(errno)));
  }
  return copy;
}

}  // namespace slipway::cli
