#include "lib/sandbox/command_line.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/sandbox/errors.h"

namespace slipway::sandbox {
namespace {

bool IsPlainAbsolute(const std::string& path) {
  if (path.size() < 2 || path[0] != '/') return false;
  for (const absl::string_view part : absl::StrSplit(path.substr(1), '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

bool Searchable(const struct stat& status, uid_t uid, gid_t gid) {
  if (status.st_uid == uid) return (status.st_mode & S_IXUSR) != 0;
  if (status.st_gid == gid) return (status.st_mode & S_IXGRP) != 0;
  return (status.st_mode & S_IXOTH) != 0;
}

absl::Status CheckReachable(const Spec& spec, const std::string& path) {
  for (size_t slash = 0; slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
    struct stat status;
    if (stat(parent.c_str(), &status) != 0) return base::ErrnoStatus(errno, parent);
    if (!Searchable(status, spec.uid, spec.gid)) return SandboxPathUnreachable(parent);
  }
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return base::ErrnoStatus(errno, path);
  return absl::OkStatus();
}

absl::Status CheckHostPath(const Spec& spec, const std::string& path, bool root) {
  if (!IsPlainAbsolute(path)) {
    return SandboxSpecInvalid(absl::StrCat("not a plain absolute host path: '", path, "'"));
  }
  return root ? CheckReachable(spec, path) : absl::OkStatus();
}

absl::Status CheckText(const Spec& spec) {
  std::vector<absl::string_view> texts(spec.argv.begin(), spec.argv.end());
  for (const auto& [key, value] : spec.env) {
    if (key.empty() || absl::StrContains(key, "=")) {
      return SandboxSpecInvalid(absl::StrCat("not a name of a variable: '", key, "'"));
    }
    texts.push_back(key);
    texts.push_back(value);
  }
  for (const ReadOnlyBind& bind : spec.read_only) {
    texts.push_back(bind.host);
    texts.push_back(bind.inside);
  }
  for (const std::string* path : {&spec.workspace, &spec.run_directory, &spec.working_directory}) {
    texts.push_back(*path);
  }
  for (const absl::string_view text : texts) {
    if (text.find('\0') != absl::string_view::npos) {
      return SandboxSpecInvalid("an argument, variable or path contains a NUL byte");
    }
  }
  return absl::OkStatus();
}

// Distributions differ in whether /bin and its kin are links into /usr.
void AppendRootDirectories(std::vector<std::string>& options) {
  for (const std::string path : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    char target[PATH_MAX];
    const ssize_t size = readlink(path.c_str(), target, sizeof(target));
    if (size > 0) {
      const std::string link(target, static_cast<size_t>(size));
      options.insert(options.end(), {"--symlink", link, path});
    } else {
      options.insert(options.end(), {"--ro-bind-try", path, path});
    }
  }
}

void AppendFiles(std::vector<std::string>& options) {
  options.insert(options.end(), {"--ro-bind", "/usr", "/usr"});
  AppendRootDirectories(options);
  for (const std::string path : {"/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl/certs",
                                 "/etc/ssl/openssl.cnf", "/etc/localtime"}) {
    options.insert(options.end(), {"--ro-bind-try", path, path});
  }
  const std::map<int, std::string> files = {
      {kPasswdFd, "/etc/passwd"}, {kGroupFd, "/etc/group"}, {kHostsFd, "/etc/hosts"}};
  for (const auto& [fd, path] : files) {
    options.insert(options.end(), {"--perms", "0644", "--ro-bind-data", absl::StrCat(fd), path});
  }
}

void AppendTemporaryFiles(std::vector<std::string>& options, const Limits& limits) {
  // A tmpfs without a size takes up to half of the machine's memory.
  const std::string size =
      absl::StrCat(limits.temporary_bytes > 0 ? limits.temporary_bytes : Limits().temporary_bytes);
  options.insert(options.end(), {"--proc", "/proc", "--dev", "/dev"});
  for (const std::string path : {"/dev/shm", "/tmp", "/home/agent"}) {
    options.insert(options.end(), {"--size", size, "--tmpfs", path});
  }
  options.insert(options.end(), {"--remount-ro", "/dev", "--symlink", "/tmp", "/var/tmp"});
}

}  // namespace

absl::Status Validate(const Spec& spec, bool root) {
  if (spec.argv.empty() || spec.argv[0].empty()) return SandboxSpecInvalid("no program to run");
  RETURN_IF_ERROR(CheckText(spec));
  if (root && (spec.uid == 0 || spec.gid == 0)) {
    return SandboxSpecInvalid("the sandbox's user and group must not be root");
  }
  if (spec.limits.wall_clock <= absl::ZeroDuration()) {
    return SandboxSpecInvalid("the wall clock limit must be positive");
  }
  if (!IsPlainAbsolute(spec.working_directory)) {
    return SandboxSpecInvalid("the working directory must be a plain absolute path");
  }
  for (const std::string* path : {&spec.workspace, &spec.run_directory}) {
    if (!path->empty()) RETURN_IF_ERROR(CheckHostPath(spec, *path, root));
  }
  for (const ReadOnlyBind& bind : spec.read_only) {
    if (!IsPlainAbsolute(bind.inside)) {
      return SandboxSpecInvalid(absl::StrCat("not a plain absolute path: '", bind.inside, "'"));
    }
    RETURN_IF_ERROR(CheckHostPath(spec, bind.host, root));
  }
  return absl::OkStatus();
}

std::vector<std::string> LimitCommand(const Limits& limits) {
  std::vector<std::string> command = {"/usr/bin/prlimit", "--core=0:0"};
  const auto add = [&](absl::string_view name, int64_t value) {
    if (value > 0) command.push_back(absl::StrCat("--", name, "=", value, ":", value));
  };
  add("cpu", limits.cpu_seconds);
  add("as", limits.memory_bytes);
  add("nproc", limits.processes);
  add("fsize", limits.file_bytes);
  add("nofile", limits.open_files);
  command.push_back("--");
  return command;
}

std::vector<std::string> CommandLine(const Spec& spec, bool root) {
  std::vector<std::string> command;
  if (root) {
    // A mapped uid alone would leave the real one 0 outside. The change of user also clears the
    // death signal, hence it is set again.
    command = {"/usr/bin/setpriv",
               absl::StrCat("--reuid=", spec.uid),
               absl::StrCat("--regid=", spec.gid),
               "--clear-groups",
               "--inh-caps=-all",
               "--bounding-set=-all",
               "--pdeathsig=KILL",
               "--"};
  }
  command.insert(command.end(), {spec.bubblewrap, "--args", absl::StrCat(kArgumentsFd), "--"});
  const std::vector<std::string> limits = LimitCommand(spec.limits);
  command.insert(command.end(), limits.begin(), limits.end());
  command.insert(command.end(), spec.argv.begin(), spec.argv.end());
  return command;
}

std::string BubblewrapArguments(const Spec& spec) {
  std::vector<std::string> options = {"--unshare-all",
                                      "--unshare-user",
                                      "--disable-userns",
                                      "--die-with-parent",
                                      "--new-session",
                                      "--clearenv",
                                      "--hostname",
                                      "sandbox",
                                      "--uid",
                                      "1000",
                                      "--gid",
                                      "1000",
                                      "--cap-drop",
                                      "ALL",
                                      "--seccomp",
                                      absl::StrCat(kSeccompFd),
                                      "--json-status-fd",
                                      absl::StrCat(kStatusFd),
                                      "--block-fd",
                                      absl::StrCat(kBlockFd)};
  std::map<std::string, std::string> env = spec.env;
  env.insert({{"PATH", "/usr/local/bin:/usr/bin:/bin"},
              {"HOME", "/home/agent"},
              {"USER", "agent"},
              {"LANG", "C.UTF-8"},
              {"TMPDIR", "/tmp"}});
  for (const auto& [key, value] : env) options.insert(options.end(), {"--setenv", key, value});
  AppendFiles(options);
  AppendTemporaryFiles(options, spec.limits);
  if (spec.workspace.empty()) {
    options.insert(options.end(), {"--dir", "/workspace"});
  } else {
    options.insert(options.end(), {"--bind", spec.workspace, "/workspace"});
  }
  if (!spec.run_directory.empty()) {
    options.insert(options.end(), {"--ro-bind", spec.run_directory, "/run/slipway"});
  }
  for (const ReadOnlyBind& bind : spec.read_only) {
    options.insert(options.end(), {"--ro-bind", bind.host, bind.inside});
  }
  // Last: the root is a tmpfs that every step above has to write to.
  options.insert(options.end(), {"--chdir", spec.working_directory, "--remount-ro", "/"});
  std::string joined = absl::StrJoin(options, absl::string_view("\0", 1));
  joined.push_back('\0');
  return joined;
}

}  // namespace slipway::sandbox
