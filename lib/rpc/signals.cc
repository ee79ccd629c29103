#include "lib/rpc/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "absl/synchronization/mutex.h"

namespace slipway::rpc {
namespace {

sigset_t TerminationSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Process 1 of a container obeys itself and those outside (0), not the programs that it runs.
bool MayEnd(const siginfo_t& info) {
  if (getpid() != 1) return true;
  return info.si_code == SI_KERNEL ||
         (info.si_code == SI_USER && (info.si_pid == 0 || info.si_pid == 1));
}

int NextSignal() {
  const sigset_t signals = TerminationSignals();
  while (true) {
    siginfo_t info = {};
    const int signal = sigwaitinfo(&signals, &info);
    if (signal > 0 && MayEnd(info)) return signal;
  }
}

}  // namespace

void PrepareProcess() {
  const sigset_t signals = TerminationSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

int WaitForSignal() {
  const int first = NextSignal();
  std::thread([] { _exit(128 + NextSignal()); }).detach();
  return first;
}

}  // namespace slipway::rpc
