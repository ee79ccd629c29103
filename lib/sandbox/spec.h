#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace slipway::sandbox {

// The identity that sandboxed programs have outside, when the caller is root: an account of no
// person or service, far above those that distributions hand out.
constexpr uid_t kDefaultUid = 64'201;

// What keeps sandboxed programs from everything else.
enum class Layer {
  kBubblewrap,  // A set of namespaces for each, entered by bubblewrap.
  // The hardened container that this program is process 1 of: see container.h. Programs run one at
  // a time, beside this one, and see the container as it is; `workspace` and `run_directory` are
  // told to them as SLIPWAY_WORKSPACE and SLIPWAY_RUN_DIRECTORY, and paths below /workspace,
  // /run/slipway and read-only binds in `argv[0]` and `working_directory` are taken as host paths.
  kContainer,
  kPod,  // The same in a Kubernetes pod: see pod.h.
};

// Whether programs run beside this one, in the container that it is process 1 of.
constexpr bool IsContainer(Layer layer) { return layer != Layer::kBubblewrap; }

// Zero means no limit, except for wall_clock. CPU, memory and file size hold for each process,
// the process count for the sandbox as a whole.
struct Limits {
  int64_t cpu_seconds = 0;
  int64_t memory_bytes = 0;      // Address space: runtimes that reserve much need a high value.
  int64_t processes = 256;       // Threads count too.
  int64_t file_bytes = 1 << 30;  // The largest file that can be written.
  int64_t open_files = 1'024;
  int64_t temporary_bytes = 256 << 20;            // Of each of /tmp, /home/agent and /dev/shm.
  absl::Duration wall_clock = absl::Minutes(10);  // Then everything is killed.
};

// Bound read-only; `inside` must not lie below another bind.
struct ReadOnlyBind {
  std::string host;
  std::string inside;
};

// What runs and all that it can see. Network, host processes and any other file are out of reach.
//
// Host paths are opened with the identity of the sandbox: each of their parents must be
// searchable (mode 0711 is enough) for `uid`.
struct Spec {
  Layer layer = Layer::kBubblewrap;
  std::vector<std::string> argv;           // argv[0] is looked up in the PATH inside.
  std::map<std::string, std::string> env;  // Over PATH, HOME, USER, LANG and TMPDIR.
  std::vector<ReadOnlyBind> read_only;
  std::string workspace;  // Host directory, writable at /workspace; may be empty.
  std::string working_directory = "/workspace";
  std::string run_directory;  // Host directory, read-only at /run/slipway: for sockets.
  Limits limits;
  int stdin_fd = -1;  // -1 is /dev/null.
  int stdout_fd = -1;
  int stderr_fd = -1;
  uid_t uid = kDefaultUid;  // Not used unless the caller is root.
  gid_t gid = kDefaultUid;
  std::string bubblewrap = "/usr/bin/bwrap";
};

}  // namespace slipway::sandbox
