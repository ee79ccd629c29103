#include "tools/bench/process_use.h"

#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/mutex.h"

namespace slipway::bench {
namespace {

// A line of /proc/PID/status, "VmRSS:     1234 kB", in millions of bytes.
double MegabytesOf(const std::string& status, absl::string_view field) {
  const size_t begin = status.find(absl::StrCat(field, ":"));
  if (begin == std::string::npos) return 0;
  const std::vector<std::string> words =
      absl::StrSplit(status.substr(begin, status.find('\n', begin) - begin), absl::ByAnyChar(" \t"),
                     absl::SkipEmpty());
  double kibibytes = 0;
  if (words.size() < 2 || !absl::SimpleAtod(words[1], &kibibytes)) return 0;
  return kibibytes * 1024 / 1e6;
}

}  // namespace

ProcessUse UseOfProcess(pid_t pid) {
  const std::string directory = absl::StrCat("/proc/", pid);
  const std::string stat = base::ReadFile(directory + "/stat").value_or("");
  const std::string status = base::ReadFile(directory + "/status").value_or("");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  // After the name: state, parent, group, ..; the times are the 12th and the 13th.
  const std::vector<std::string> fields = absl::StrSplit(stat.substr(name_end + 2), ' ');
  double user = 0;
  double kernel = 0;
  if (fields.size() < 13 || !absl::SimpleAtod(fields[11], &user) ||
      !absl::SimpleAtod(fields[12], &kernel)) {
    return {};
  }
  return {.cpu_seconds = (user + kernel) / static_cast<double>(sysconf(_SC_CLK_TCK)),
          .rss_mb = MegabytesOf(status, "VmRSS"),
          .peak_rss_mb = MegabytesOf(status, "VmHWM")};
}

void LetPass(absl::Duration length) {
  base::Mutex mutex;
  base::CondVar never;
  const absl::Duration end = base::RealClock().Elapsed() + length;
  base::MutexLock lock(mutex);
  for (absl::Duration left; (left = end - base::RealClock().Elapsed()) > absl::ZeroDuration();) {
    never.WaitFor(mutex, left);
  }
}

}  // namespace slipway::bench
