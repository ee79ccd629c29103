#include "lib/testkit/stepped_clock.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

constexpr int64_t kSecond = 1'000'000'000;
// How soon one who waits sees that the clock was set.
constexpr int64_t kLook = kSecond / 50;
// Of moments: less is one of a monotonic clock, which counts from the start of the machine.
constexpr time_t kWallSecondsMin = 1'000'000'000;

struct Page {
  std::atomic<int64_t> ahead;
  std::atomic<int64_t> least_seen;
  std::atomic<int64_t> most_seen;
};

Page own;
Page* page = &own;

template <typename Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

__attribute__((constructor)) void Map() {
  const char* const directory = getenv("SLIPWAY_CLOCKS");
  char path[4096];
  if (directory == nullptr || snprintf(path, sizeof(path), "%s/%s", directory,
                                       program_invocation_short_name) >= int{sizeof(path)}) {
    return;
  }
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void* const mapped = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) page = static_cast<Page*>(mapped);
}

bool IsWall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

int64_t Ahead() {
  const int64_t ahead = page->ahead.load(std::memory_order_relaxed);
  int64_t seen = page->least_seen.load(std::memory_order_relaxed);
  while (ahead < seen && !page->least_seen.compare_exchange_weak(seen, ahead)) {
  }
  seen = page->most_seen.load(std::memory_order_relaxed);
  while (ahead > seen && !page->most_seen.compare_exchange_weak(seen, ahead)) {
  }
  return ahead;
}

int64_t Nanos(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }

timespec FromNanos(int64_t nanos) {
  return {.tv_sec = nanos / kSecond, .tv_nsec = nanos % kSecond};
}

int RealGet(clockid_t clock, timespec* time) {
  static const auto next = Next<int (*)(clockid_t, timespec*)>("clock_gettime");
  return next(clock, time);
}

int64_t MachineNow() {
  timespec now = {};
  RealGet(CLOCK_REALTIME, &now);
  return Nanos(now);
}

// Waits for `until`, of the wall clock, a little at a time. `wait` is given a moment of the
// machine's clock and returns ETIMEDOUT when that has come; `again` is what the caller takes for a
// reason to look and to wait once more.
template <typename Wait>
int WaitInParts(const timespec& until, int again, Wait wait) {
  const int64_t now = MachineNow();
  const int64_t end = std::max<int64_t>(Nanos(until) - Ahead(), 0);
  const timespec part = FromNanos(std::min(end, now + kLook));
  const int result = wait(part);
  if (result != ETIMEDOUT) return result;
  return MachineNow() + Ahead() >= Nanos(until) ? ETIMEDOUT : again;
}

}  // namespace

namespace slipway::testkit {

void SetWallClockAhead(std::chrono::nanoseconds ahead) {
  page->ahead.store(ahead.count(), std::memory_order_relaxed);
}

}  // namespace slipway::testkit

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const int result = RealGet(clock, time);
  if (result == 0 && IsWall(clock)) *time = FromNanos(Nanos(*time) + Ahead());
  return result;
}

int gettimeofday(timeval* time, void*) noexcept {
  const int64_t nanos = MachineNow() + Ahead();
  *time = {.tv_sec = nanos / kSecond, .tv_usec = nanos % kSecond / 1000};
  return 0;
}

time_t time(time_t* result) noexcept {
  const time_t now = (MachineNow() + Ahead()) / kSecond;
  if (result != nullptr) *result = now;
  return now;
}

int timespec_get(timespec* time, int base) noexcept {
  if (base != TIME_UTC) return 0;
  *time = FromNanos(MachineNow() + Ahead());
  return base;
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* until) {
  static const auto next =
      Next<int (*)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>(
          "pthread_cond_clockwait");
  if (!IsWall(clock)) return next(condition, mutex, clock, until);
  return WaitInParts(*until, 0,
                     [&](const timespec& part) { return next(condition, mutex, clock, &part); });
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* until) {
  static const auto next =
      Next<int (*)(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait");
  if (until->tv_sec < kWallSecondsMin) return next(condition, mutex, until);
  return WaitInParts(*until, 0,
                     [&](const timespec& part) { return next(condition, mutex, &part); });
}

// Abseil, and so gRPC, waits by this with moments of the wall clock.
long syscall(long number, ...) noexcept {  // NOLINT(cert-dcl50-cpp): as the C library declares it.
  static const auto next = Next<long (*)(long, ...)>("syscall");
  va_list list;
  va_start(list, number);
  long given[6];
  for (long& argument : given) argument = va_arg(list, long);
  va_end(list);
  const auto call = [&] {
    return next(number, given[0], given[1], given[2], given[3], given[4], given[5]);
  };
  const auto* const until = std::bit_cast<const timespec*>(given[3]);
  const bool waits = number == SYS_futex && (given[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET &&
                     (given[1] & FUTEX_CLOCK_REALTIME) != 0;
  if (!waits || until == nullptr) return call();
  const timespec asked = *until;
  long answer = 0;
  const int error = WaitInParts(asked, EINTR, [&](const timespec& part) {
    given[3] = reinterpret_cast<long>(&part);
    answer = call();
    return answer == 0 ? 0 : errno;
  });
  if (error == 0) return answer;
  errno = error;
  return -1;
}

}  // extern "C"
