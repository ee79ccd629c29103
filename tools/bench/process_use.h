#pragma once

#include <sys/types.h>

#include "absl/time/time.h"

namespace slipway::bench {

// What one process, without its children, has used; zero when it is gone.
struct ProcessUse {
  double cpu_seconds = 0;  // Of all its threads, in the program and in the kernel.
  double rss_mb = 0;       // Resident now, in millions of bytes.
  double peak_rss_mb = 0;
  double written_kb = 0;  // By system calls, to files and sockets, in thousands of bytes.
};
ProcessUse UseOfProcess(pid_t pid);

// The processor time of all processes of a session, with those of theirs that have ended.
double CpuOfSession(pid_t session);

// Waits without an event: what is measured goes on meanwhile.
void LetPass(absl::Duration length);

}  // namespace slipway::bench
