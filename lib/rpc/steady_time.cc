#include "lib/rpc/steady_time.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdarg>
#include <cstdint>

#include "absl/time/clock.h"

namespace slipway::rpc {
namespace {

constexpr int64_t kNanosPerSecond = 1'000'000'000;

int64_t ToNanos(const timespec& time) { return time.tv_sec * kNanosPerSecond + time.tv_nsec; }

timespec FromNanos(int64_t nanos) {
  return {.tv_sec = nanos / kNanosPerSecond, .tv_nsec = nanos % kNanosPerSecond};
}

int64_t NowOf(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return ToNanos(now);
}

// A wait of this thread. Who was woken for nothing asks again for the same moment of a wall clock
// that may have been set meanwhile: the wait ends when it was to end at first.
struct SteadyWait {
  long address = 0;
  int64_t wall_end = 0;
  int64_t end = 0;
};

// The moment of CLOCK_MONOTONIC at which a wait for `until` of the wall clock on `address` ends.
timespec SteadyEnd(long address, const timespec& until) {
  thread_local SteadyWait last;
  const int64_t wall_end = ToNanos(until);
  if (last.address != address || last.wall_end != wall_end) {
    // After the clock was set, Abseil's time is the old one for some seconds, and `until` was made
    // from either. Too early is harmless: callers look at the time again.
    const int64_t wall_now = std::max(NowOf(CLOCK_REALTIME), absl::GetCurrentTimeNanos());
    const int64_t left = std::max<int64_t>(wall_end - wall_now, 0);
    last = {.address = address, .wall_end = wall_end, .end = NowOf(CLOCK_MONOTONIC) + left};
  }
  return FromNanos(last.end);
}

}  // namespace

gpr_timespec DeadlineIn(absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_nanos(absl::ToInt64Nanoseconds(timeout), GPR_TIMESPAN));
}

absl::Duration TimeLeft(const grpc::ServerContextBase& context) {
  const gpr_timespec left = gpr_convert_clock_type(context.raw_deadline(), GPR_TIMESPAN);
  if (gpr_time_cmp(left, gpr_inf_future(GPR_TIMESPAN)) == 0) return absl::InfiniteDuration();
  return absl::Seconds(left.tv_sec) + absl::Nanoseconds(left.tv_nsec);
}

// The linker takes this file for it.
void KeepWaitsSteady() {}

}  // namespace slipway::rpc

// Takes the place of the C library's, by which Abseil waits. As that one does, it passes six
// arguments on however many were given: AddressSanitizer would see the last one read from the
// caller's frame.
extern "C" __attribute__((no_sanitize_address)) long syscall(long number, ...) noexcept {
  using Function = long (*)(long, ...);
  // Not a static with a guard: those wait by this very function.
  static std::atomic<Function> next;
  Function call = next.load(std::memory_order_relaxed);
  if (call == nullptr) {
    call = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "syscall"));
    next.store(call, std::memory_order_relaxed);
  }
  long arguments[6];
  va_list list;
  va_start(list, number);
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  timespec end;
  if (number == SYS_futex && arguments[3] != 0 &&
      (arguments[1] & (FUTEX_CMD_MASK | FUTEX_CLOCK_REALTIME)) ==
          (FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME)) {
    end = slipway::rpc::SteadyEnd(arguments[0], *std::bit_cast<const timespec*>(arguments[3]));
    arguments[1] &= ~FUTEX_CLOCK_REALTIME;
    arguments[3] = reinterpret_cast<long>(&end);
  }
  return call(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
              arguments[5]);
}
