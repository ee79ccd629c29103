#include "lib/sandbox/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace slipway::sandbox {

absl::StatusOr<base::UniqueFd> MemoryFile(absl::string_view content) {
  base::UniqueFd file(memfd_create("sandbox", MFD_CLOEXEC));
  if (!file.valid()) return base::ErrnoStatus(errno, "memfd_create");
  while (!content.empty()) {
    const ssize_t size = write(file.get(), content.data(), content.size());
    if (size < 0) return base::ErrnoStatus(errno, "write to a memory file");
    content.remove_prefix(static_cast<size_t>(size));
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) return base::ErrnoStatus(errno, "lseek");
  return file;
}

}  // namespace slipway::sandbox
