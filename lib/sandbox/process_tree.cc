#include "lib/sandbox/process_tree.h"

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cctype>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/file.h"

namespace slipway::sandbox {
namespace {

struct StatLine {
  pid_t parent = 0;
  TreeMember member;
};

std::optional<StatLine> ReadStat(pid_t pid) {
  const absl::StatusOr<std::string> text = base::ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  if (!text.ok()) return std::nullopt;
  const size_t name_end = text->rfind(')');  // The name may hold anything, ')' too.
  if (name_end == std::string::npos) return std::nullopt;
  const std::vector<std::string> fields =
      absl::StrSplit(text->substr(name_end + 1), ' ', absl::SkipWhitespace());
  if (fields.size() < 20) return std::nullopt;
  StatLine line;
  line.member.pid = pid;
  line.member.state = fields[0][0];
  int64_t ticks = 0;
  for (int field = 11; field <= 14; ++field) {
    int64_t value = 0;
    if (!absl::SimpleAtoi(fields[field], &value)) return std::nullopt;
    ticks += value;
  }
  if (!absl::SimpleAtoi(fields[1], &line.parent)) return std::nullopt;
  if (!absl::SimpleAtoi(fields[19], &line.member.start_time)) return std::nullopt;
  line.member.cpu_time = absl::Seconds(ticks) / sysconf(_SC_CLK_TCK);
  return line;
}

}  // namespace

std::vector<TreeMember> ReadTree(pid_t root) {
  std::multimap<pid_t, TreeMember> by_parent;
  std::vector<TreeMember> tree;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), closedir);
  if (proc == nullptr) return tree;
  while (const dirent* const entry = readdir(proc.get())) {
    pid_t pid = 0;
    if (!std::isdigit(entry->d_name[0]) || !absl::SimpleAtoi(entry->d_name, &pid)) continue;
    const std::optional<StatLine> line = ReadStat(pid);
    if (!line.has_value()) continue;
    if (pid == root) tree.push_back(line->member);
    by_parent.emplace(line->parent, line->member);
  }
  for (size_t next = 0; next < tree.size(); ++next) {
    const auto [begin, end] = by_parent.equal_range(tree[next].pid);
    for (auto child = begin; child != end; ++child) tree.push_back(child->second);
  }
  return tree;
}

bool SignalMember(const TreeMember& member, int signal) {
  const base::UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, member.pid, 0)));
  if (!pidfd.valid()) return false;
  const std::optional<StatLine> now = ReadStat(member.pid);
  if (!now.has_value() || now->member.start_time != member.start_time) return false;
  return syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

}  // namespace slipway::sandbox
