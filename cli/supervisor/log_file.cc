#include "cli/supervisor/log_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace slipway::cli {
namespace {

constexpr size_t kTailBytesMax = 16 << 10;

}  // namespace

absl::StatusOr<base::UniqueFd> OpenLog(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) == 0 && status.st_size > kLogBytesMax) {
    rename(path.c_str(), absl::StrCat(path, ".1").c_str());
  }
  base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return base::ErrnoStatus(errno, absl::StrCat("open ", path));
  return fd;
}

std::string LogTail(const std::string& path, int lines_max) {
  const base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return "";
  const off_t size = lseek(fd.get(), 0, SEEK_END);
  std::string text(std::min(static_cast<size_t>(std::max<off_t>(size, 0)), kTailBytesMax), '\0');
  const ssize_t got =
      pread(fd.get(), text.data(), text.size(), size - static_cast<off_t>(text.size()));
  text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  size_t begin = text.size();
  for (int i = 0; i < lines_max && begin != std::string::npos && begin > 0; ++i) {
    begin = text.rfind('\n', begin - 1);
  }
  return begin == std::string::npos || begin == 0 ? text : text.substr(begin + 1);
}

}  // namespace slipway::cli
