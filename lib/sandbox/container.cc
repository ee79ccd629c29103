#include "lib/sandbox/container.h"

#include <net/if.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/sandbox/command_line.h"
#include "lib/sandbox/errors.h"
#include "lib/sandbox/workspace.h"

namespace slipway::sandbox {
namespace {

constexpr char kHome[] = "/home/agent";
// Not /tmp, from which a hardened container lets nothing be executed.
constexpr char kTemporary[] = "/home/agent/tmp";

// A missing directory is empty.
void Empty(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    RemoveWorkspace(entry.path().string()).IgnoreError();
  }
}

// Where a path of the sandbox lies in the container.
std::string PathOutside(const Spec& spec, const std::string& inside) {
  std::vector<std::pair<std::string, std::string>> roots = {{"/workspace", spec.workspace},
                                                            {"/run/slipway", spec.run_directory}};
  for (const ReadOnlyBind& bind : spec.read_only) roots.emplace_back(bind.inside, bind.host);
  for (const auto& [from, to] : roots) {
    if (to.empty()) continue;
    if (inside == from) return to;
    if (absl::StartsWith(inside, from + "/")) return to + inside.substr(from.size());
  }
  return inside;
}

}  // namespace

ContainerFacts ReadContainerFacts() {
  ContainerFacts facts{.pid = getpid(), .uid = getuid()};
  facts.status = base::ReadFile("/proc/self/status").value_or("");
  struct statvfs root;
  facts.root_read_only = statvfs("/", &root) == 0 && (root.f_flag & ST_RDONLY) != 0;
  struct if_nameindex* const names = if_nameindex();
  if (names == nullptr) {
    facts.interfaces.push_back("unknown");
    return facts;
  }
  for (const struct if_nameindex* name = names; name->if_index != 0; ++name) {
    facts.interfaces.push_back(name->if_name);
  }
  if_freenameindex(names);
  return facts;
}

absl::Status CheckFacts(const ContainerFacts& facts, Layer layer) {
  if (facts.pid != 1) return ContainerBroken("the agent is not its process 1");
  if (facts.uid == 0) return ContainerBroken("the agent runs as root");
  for (const absl::string_view wanted :
       {"\nCapInh:\t0000000000000000\n", "\nCapPrm:\t0000000000000000\n",
        "\nCapEff:\t0000000000000000\n", "\nCapBnd:\t0000000000000000\n",
        "\nCapAmb:\t0000000000000000\n", "\nNoNewPrivs:\t1\n", "\nSeccomp:\t2\n"}) {
    if (!absl::StrContains(facts.status, wanted)) {
      return ContainerBroken(
          absl::StrCat("a layer is not active: ", wanted.substr(1, wanted.size() - 2)));
    }
  }
  if (!facts.root_read_only) return ContainerBroken("its root file system can be written");
  if (layer == Layer::kPod) return absl::OkStatus();
  for (const std::string& interface : facts.interfaces) {
    if (interface != "lo") return ContainerBroken(absl::StrCat("it has the network ", interface));
  }
  return absl::OkStatus();
}

absl::Status EnterContainer() {
  RETURN_IF_ERROR(CheckFacts(ReadContainerFacts(), Layer::kContainer));
  return CloseMemory();
}

absl::Status CloseMemory() {
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return base::ErrnoStatus(errno, "PR_SET_DUMPABLE");
  return absl::OkStatus();
}

void CleanContainer() {
  if (getpid() != 1) return;
  Empty("/tmp");
  Empty(kHome);
  mkdir(kTemporary, 0700);
}

base::Process::Options ContainerOptions(const Spec& spec) {
  Limits limits = spec.limits;
  limits.processes = 0;  // The kernel would count the user's processes in every container.
  base::Process::Options options{.argv = LimitCommand(limits),
                                 .directory = spec.workspace.empty()
                                                  ? std::string("/")
                                                  : PathOutside(spec, spec.working_directory)};
  options.argv.push_back(PathOutside(spec, spec.argv[0]));
  options.argv.insert(options.argv.end(), spec.argv.begin() + 1, spec.argv.end());
  options.env = spec.env;
  options.env.insert({{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                      {"HOME", kHome},
                      {"USER", "agent"},
                      {"LANG", "C.UTF-8"},
                      {"TMPDIR", kTemporary},
                      {"SLIPWAY_WORKSPACE", spec.workspace},
                      {"SLIPWAY_RUN_DIRECTORY", spec.run_directory}});
  return options;
}

void SignalOthers(int signal) {
  if (getpid() == 1) kill(-1, signal);
}

void EndOthers() {
  if (getpid() != 1) return;
  kill(-1, SIGKILL);
  while (waitpid(-1, nullptr, __WALL) > 0 || errno == EINTR) {
  }
}

}  // namespace slipway::sandbox
