#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/process.h"
#include "lib/sandbox/spec.h"

namespace slipway::sandbox {

// Runs a probe and looks at what isolates it; the container as a layer is looked at from within,
// see EnterContainer. SANDBOX_MISSING or SANDBOX_BROKEN, each saying what to do. There is no weaker
// mode: while this fails, so do Start and Run. Blocks for some 20 ms.
absl::Status Check(const Spec& identity = {});

// A sandbox with everything in it; killed as a whole when the object goes, when the wall clock
// limit passes, and when this program dies. Wait is for one thread; all else is thread-safe.
class SandboxedProcess final {
 public:
  SandboxedProcess(SandboxedProcess&&) noexcept;
  ~SandboxedProcess();

  // Waits for the end of the command; when it is returned every process of the sandbox is gone.
  // A signal that ended the command shows as code 128 + signal. DEADLINE_EXCEEDED when it still
  // runs; SANDBOX_START_FAILED when the sandbox was not set up (bubblewrap's reason is on the
  // standard error). After an end was returned: FAILED_PRECONDITION.
  absl::StatusOr<base::ProcessExit> Wait(absl::Duration timeout = absl::InfiniteDuration());

  // Signals every process inside.
  void Signal(int signal);

  // Stops every process inside until Thaw; returns when all are stopped. ABORTED when some did
  // not stop in a second. The wall clock goes on.
  absl::Status Freeze();
  void Thaw();

  void Kill();

  // CPU time used inside so far; does not grow while everything waits.
  absl::Duration CpuTime() const;

  // Whether the wall clock limit ended it.
  bool timed_out() const;

 private:
  friend absl::StatusOr<SandboxedProcess> Start(const Spec& spec);
  static absl::StatusOr<SandboxedProcess> StartBeside(const Spec& spec);
  struct State;
  explicit SandboxedProcess(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

// Starts the command of `spec`. SANDBOX_SPEC_INVALID, SANDBOX_PATH_UNREACHABLE, SANDBOX_MISSING
// or SANDBOX_START_FAILED. Blocks for some 10 ms.
absl::StatusOr<SandboxedProcess> Start(const Spec& spec);

struct RunResult {
  int code = 0;  // 128 + signal when a signal ended the command.
  std::string out;
  std::string err;
  bool truncated = false;  // More was printed than kept.
  bool timed_out = false;
  bool ok() const { return code == 0 && !timed_out; }
  absl::Duration duration;
};

// Runs `spec` to its end and keeps the first `output_max` bytes of each stream; the output
// descriptors of `spec` are not used.
absl::StatusOr<RunResult> Run(Spec spec, size_t output_max = 1u << 20);

}  // namespace slipway::sandbox
