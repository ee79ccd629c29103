#pragma once

#include "absl/status/statusor.h"
#include "lib/base/file.h"

namespace slipway::sandbox {

// A file with the BPF program that every sandbox runs under, as `bwrap --seccomp` takes it.
//
// Calls that reach the kernel's less guarded parts fail with EPERM (clone3, whose flags a filter
// cannot see, and foreign architectures with ENOSYS, so that libraries fall back); all others
// work. Nothing is killed.
absl::StatusOr<base::UniqueFd> SeccompFilter();

}  // namespace slipway::sandbox
