#include "tools/bench/process_use.h"

#include <dirent.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
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

// A line of /proc/PID/io, "wchar: 1234".
double CountOf(const std::string& io, absl::string_view field) {
  const size_t begin = io.find(absl::StrCat(field, ": "));
  if (begin == std::string::npos) return 0;
  const size_t number = begin + field.size() + 2;
  double count = 0;
  return absl::SimpleAtod(io.substr(number, io.find('\n', number) - number), &count) ? count : 0;
}

// The fields of /proc/PID/stat after the program's name, of which the first is the state; empty
// when the process is gone.
std::vector<std::string> StatOf(const std::string& pid) {
  const std::string stat = base::ReadFile(absl::StrCat("/proc/", pid, "/stat")).value_or("");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::vector<std::string> fields = absl::StrSplit(stat.substr(name_end + 2), ' ');
  return fields.size() < 15 ? std::vector<std::string>() : fields;
}

// Its own time in the program and in the kernel, then that of its children that have ended.
double SecondsOf(const std::vector<std::string>& stat, size_t first, size_t last) {
  double ticks = 0;
  for (size_t i = first; i <= last; ++i) {
    double value = 0;
    if (absl::SimpleAtod(stat[i], &value)) ticks += value;
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

constexpr size_t kSessionField = 3;
constexpr size_t kOwnTimeFields[] = {11, 12};
constexpr size_t kAllTimeFields[] = {11, 14};

}  // namespace

ProcessUse UseOfProcess(pid_t pid) {
  const std::vector<std::string> stat = StatOf(absl::StrCat(pid));
  if (stat.empty()) return {};
  const std::string status = base::ReadFile(absl::StrCat("/proc/", pid, "/status")).value_or("");
  const std::string io = base::ReadFile(absl::StrCat("/proc/", pid, "/io")).value_or("");
  return {.cpu_seconds = SecondsOf(stat, kOwnTimeFields[0], kOwnTimeFields[1]),
          .rss_mb = MegabytesOf(status, "VmRSS"),
          .peak_rss_mb = MegabytesOf(status, "VmHWM"),
          .written_kb = CountOf(io, "wchar") / 1e3};
}

double CpuOfSession(pid_t session) {
  double seconds = 0;
  DIR* const processes = opendir("/proc");
  if (processes == nullptr) return 0;
  while (const dirent* entry = readdir(processes)) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(entry->d_name[0]))) continue;
    const std::vector<std::string> stat = StatOf(entry->d_name);
    if (stat.empty() || stat[kSessionField] != absl::StrCat(session)) continue;
    seconds += SecondsOf(stat, kAllTimeFields[0], kAllTimeFields[1]);
  }
  closedir(processes);
  return seconds;
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
