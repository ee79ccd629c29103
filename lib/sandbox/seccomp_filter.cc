#include "lib/sandbox/seccomp_filter.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/sandbox/errors.h"
#include "lib/sandbox/memory_file.h"

namespace slipway::sandbox {
namespace {

constexpr const char* kDenied[] = {
    // Mounts and roots.
    "mount", "umount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen",
    "fsconfig", "fsmount", "fspick", "mount_setattr",
    // Namespaces.
    "unshare", "setns",
    // Other processes.
    "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise",
    // Code in the kernel and its most attacked interfaces.
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "init_module", "finit_module", "delete_module", "create_module",
    "get_kernel_syms", "query_module", "kexec_load", "kexec_file_load", "lookup_dcookie",
    "fanotify_init", "open_by_handle_at", "name_to_handle_at", "vmsplice",
    // Keys are not namespaced.
    "add_key", "request_key", "keyctl",
    // The machine.
    "reboot", "swapon", "swapoff", "syslog", "acct", "quotactl", "quotactl_fd", "settimeofday",
    "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex", "stime",
    "sethostname", "setdomainname", "iopl", "ioperm", "vhangup", "nfsservctl", "uselib", "ustat",
    "sysfs", "_sysctl", "personality", "set_mempolicy", "mbind", "move_pages", "migrate_pages",
    "modify_ldt", "vm86", "vm86old"};

constexpr uint64_t kNamespaceFlags[] = {CLONE_NEWNS,  CLONE_NEWUSER, CLONE_NEWPID,   CLONE_NEWNET,
                                        CLONE_NEWIPC, CLONE_NEWUTS,  CLONE_NEWCGROUP};

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};
using Filter = std::unique_ptr<void, Release>;

absl::Status Checked(int result, absl::string_view what) {
  if (result == 0) return absl::OkStatus();
  return SandboxBroken(absl::StrCat("seccomp ", what, " failed with error ", -result));
}

absl::Status DenyCalls(scmp_filter_ctx filter) {
  for (const char* const name : kDenied) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || number < 0) continue;  // Unknown to this architecture.
    RETURN_IF_ERROR(Checked(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0), name));
  }
  return Checked(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "clone3");
}

absl::Status DenyArguments(scmp_filter_ctx filter) {
  const uint32_t deny = SCMP_ACT_ERRNO(EPERM);
  for (const uint64_t flag : kNamespaceFlags) {
    RETURN_IF_ERROR(Checked(
        seccomp_rule_add(filter, deny, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag)),
        "clone"));
  }
  // Typing into a terminal that the sandbox shares. The kernel looks at 32 bits only.
  for (const uint64_t request : {TIOCSTI, TIOCLINUX}) {
    RETURN_IF_ERROR(Checked(seccomp_rule_add(filter, deny, SCMP_SYS(ioctl), 1,
                                             SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, request)),
                            "ioctl"));
  }
  // Only families that a network namespace confines; vsock, for one, reaches the host of a
  // virtual machine from every namespace.
  for (int family = 0; family <= AF_NETLINK; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK) {
      continue;
    }
    RETURN_IF_ERROR(
        Checked(seccomp_rule_add(filter, deny, SCMP_SYS(socket), 1,
                                 SCMP_A0_32(SCMP_CMP_EQ, static_cast<uint32_t>(family))),
                "socket"));
  }
  return Checked(
      seccomp_rule_add(filter, deny, SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_GT, AF_NETLINK)),
      "socket");
}

}  // namespace

absl::StatusOr<base::UniqueFd> SeccompFilter() {
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW));
  if (filter == nullptr) return SandboxBroken("seccomp_init failed");
  RETURN_IF_ERROR(Checked(
      seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)), "badarch"));
  RETURN_IF_ERROR(DenyCalls(filter.get()));
  RETURN_IF_ERROR(DenyArguments(filter.get()));
  ASSIGN_OR_RETURN(base::UniqueFd file, MemoryFile(""));
  RETURN_IF_ERROR(Checked(seccomp_export_bpf(filter.get(), file.get()), "export"));
  if (lseek(file.get(), 0, SEEK_SET) != 0) return base::ErrnoStatus(errno, "lseek");
  return file;
}

}  // namespace slipway::sandbox
