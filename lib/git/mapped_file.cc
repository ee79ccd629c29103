#include "lib/git/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "lib/base/file.h"

namespace slipway::git {

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  const base::UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return base::ErrnoStatus(errno, path);
  struct stat status;
  if (fstat(file.get(), &status) != 0) return base::ErrnoStatus(errno, path);
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return MappedFile(nullptr, 0);  // Which mmap refuses.
  void* const data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return base::ErrnoStatus(errno, path);
  return MappedFile(data, size);
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this == &other) return *this;
  Unmap();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

void MappedFile::Unmap() {
  if (data_ != nullptr) munmap(data_, size_);
}

}  // namespace slipway::git
