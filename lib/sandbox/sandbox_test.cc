#include "lib/sandbox/sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/sandbox/workspace.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/requirement.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::sandbox {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::slipway::testkit::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const absl::Status works = Check();
    SLIPWAY_NEEDS(works.ok(), "bubblewrap cannot run here: " << works);
    MakeWorkspace();
  }

  void MakeWorkspace() {
    chmod(directory_.path().c_str(), 0711);
    ASSERT_EQ(mkdir(directory_.File("ws").c_str(), 0700), 0);
    ASSERT_OK(PrepareWorkspace(directory_.File("ws")));
  }

  Spec Shell(const std::string& script) const {
    Spec spec;
    spec.argv = {"/bin/sh", "-c", script};
    spec.workspace = directory_.File("ws");
    spec.limits.wall_clock = absl::Seconds(20);
    return spec;
  }

  RunResult RunShell(const std::string& script) const { return RunSpec(Shell(script)); }

  RunResult RunSpec(const Spec& spec) const {
    absl::StatusOr<RunResult> result = sandbox::Run(spec);
    EXPECT_OK(result);
    return result.ok() ? *std::move(result) : RunResult{.code = -1};
  }

  testkit::TemporaryDirectory directory_;
};

TEST_F(SandboxTest, ExitCodesAndBothStreamsPassThrough) {
  const RunResult result = RunShell("echo out; echo err >&2; exit 7");
  EXPECT_EQ(result.code, 7);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(RunShell("kill -TERM $$").code, 128 + SIGTERM);
}

TEST_F(SandboxTest, ThereIsNoNetworkButLoopback) {
  const RunResult result = RunShell(
      "python3 -c 'import socket\n"
      "s=socket.socket(); s.settimeout(5)\n"
      "try: s.connect((\"192.0.2.1\",80))\n"
      "except OSError as e: print(e.errno)'; ls /sys/class/net 2>/dev/null;"
      "grep -c : /proc/net/dev");
  EXPECT_EQ(result.out, "101\n1\n") << result.err;  // ENETUNREACH; lo alone.
}

TEST_F(SandboxTest, HostFilesAreOutOfSight) {
  const RunResult result = RunShell("ls -A /; ls /root /work /home /etc/shadow; ls /home");
  EXPECT_THAT(result.out, Not(HasSubstr("root")));
  EXPECT_THAT(result.out, Not(HasSubstr("work\n")));
  EXPECT_THAT(result.err, HasSubstr("/etc/shadow"));
  EXPECT_THAT(result.out, HasSubstr("agent"));
}

TEST_F(SandboxTest, OnlyWorkspaceAndTemporaryDirectoriesAreWritable) {
  const RunResult result = RunShell(
      "for d in / /usr /etc /dev /run /home /var /workspace /tmp /home/agent /dev/shm; do"
      " if touch $d/probe 2>/dev/null; then echo $d; fi; done");
  EXPECT_EQ(result.out, "/workspace\n/tmp\n/home/agent\n/dev/shm\n");
  struct stat status;
  ASSERT_EQ(stat(directory_.File("ws/probe").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, geteuid() == 0 ? kDefaultUid : geteuid());
}

TEST_F(SandboxTest, TheTemporaryDirectoryIsBounded) {
  Spec spec = Shell("head -c 3000000 /dev/zero > /tmp/big || echo full");
  spec.limits.temporary_bytes = 1 << 20;
  EXPECT_EQ(RunSpec(spec).out, "full\n");
}

TEST_F(SandboxTest, OnlyItsOwnProcessesAndDescriptorsAreVisible) {
  // bwrap, sh, ls and grep; the standard streams and the directory that ls reads.
  const RunResult result = RunShell("ls /proc | grep -c '^[0-9]'; ls /proc/self/fd");
  EXPECT_EQ(result.out, "4\n0\n1\n2\n3\n");
}

TEST_F(SandboxTest, TheEnvironmentHoldsOnlyWhatTheSpecNames) {
  setenv("SANDBOX_TEST_SECRET", "hunter2", 1);
  Spec spec = Shell("env; cat /proc/1/environ");
  spec.env = {{"COLOUR", "blue"}, {"LANG", "C"}};
  const RunResult result = RunSpec(spec);
  EXPECT_THAT(result.out, Not(HasSubstr("hunter2")));
  EXPECT_THAT(result.out, HasSubstr("COLOUR=blue"));
  EXPECT_THAT(result.out, HasSubstr("LANG=C\n"));
}

TEST_F(SandboxTest, NamespacesAndDangerousSocketsAreRefused) {
  EXPECT_NE(RunShell("unshare -U true").code, 0);
  EXPECT_NE(RunShell("mount -t tmpfs none /tmp").code, 0);
  const RunResult result = RunShell(
      "python3 -c 'import socket,ctypes\n"
      "try: socket.socket(40, 1)\n"
      "except OSError as e: print(e.errno)\n"
      "l=ctypes.CDLL(None,use_errno=True)\n"
      "print(l.ptrace(0,0,0,0), ctypes.get_errno())'");
  EXPECT_EQ(result.out, "1\n-1 1\n") << result.err;
}

TEST_F(SandboxTest, EveryLayerShowsInTheProcessStatus) {
  const RunResult result =
      RunShell("grep -E 'Seccomp:|NoNewPrivs|CapEff|CapBnd' /proc/self/status");
  EXPECT_EQ(result.out,
            "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
}

TEST_F(SandboxTest, MemoryAndProcessLimitsHold) {
  Spec spec = Shell("python3 -c 'x = bytearray(600 << 20)' 2>&1 | tail -1");
  spec.limits.memory_bytes = 300 << 20;
  EXPECT_THAT(RunSpec(spec).out, HasSubstr("MemoryError"));
  spec = Shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo all");
  spec.limits.processes = 8;
  const RunResult result = RunSpec(spec);
  EXPECT_THAT(result.err, HasSubstr("fork"));
  EXPECT_THAT(result.out, Not(HasSubstr("all")));
}

TEST_F(SandboxTest, TheWallClockEndsADaemonisedGrandchildToo) {
  Spec spec = Shell("setsid sh -c 'setsid sleep 1000 &'; sleep 1000");
  spec.limits.wall_clock = absl::Milliseconds(500);
  const RunResult result = RunSpec(spec);  // Returns only when the grandchild closed the pipes.
  EXPECT_TRUE(result.timed_out);
  EXPECT_FALSE(result.ok());
  EXPECT_LT(result.duration, absl::Seconds(10));
}

TEST_F(SandboxTest, WhatTheCommandLeavesRunningEndsWithIt) {
  const RunResult result = RunShell("setsid sleep 1000 & echo done");
  EXPECT_EQ(result.out, "done\n");
  EXPECT_FALSE(result.timed_out);
}

TEST_F(SandboxTest, AFrozenSandboxUsesNoTimeUntilThawed) {
  ASSERT_OK_AND_ASSIGN(SandboxedProcess process, Start(Shell("while :; do :; done")));
  while (process.CpuTime() < absl::Milliseconds(50)) {
  }
  ASSERT_OK(process.Freeze());
  const absl::Duration frozen = process.CpuTime();
  EXPECT_THAT(process.Wait(absl::Milliseconds(200)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(process.CpuTime(), frozen);
  process.Thaw();
  while (process.CpuTime() <= frozen) {
  }
  process.Signal(SIGTERM);
  ASSERT_OK_AND_ASSIGN(const base::ProcessExit exit, process.Wait(absl::Seconds(5)));
  EXPECT_EQ(exit.code, 128 + SIGTERM);
}

TEST_F(SandboxTest, KillEndsItAtOnce) {
  ASSERT_OK_AND_ASSIGN(SandboxedProcess process, Start(Shell("trap '' TERM; sleep 1000")));
  process.Kill();
  ASSERT_OK_AND_ASSIGN(const base::ProcessExit exit, process.Wait(absl::Seconds(5)));
  EXPECT_FALSE(exit.ok());
}

TEST_F(SandboxTest, OutputIsKeptUpToItsLimit) {
  ASSERT_OK_AND_ASSIGN(const RunResult result,
                       sandbox::Run(Shell("head -c 500000 /dev/zero"), 1'000));
  EXPECT_EQ(result.out.size(), 1'000u);
  EXPECT_TRUE(result.truncated);
  EXPECT_EQ(result.code, 0);
}

TEST_F(SandboxTest, ASocketInTheRunDirectoryIsReachable) {
  ASSERT_EQ(mkdir(directory_.File("run").c_str(), 0711), 0);
  const base::UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX};
  const std::string path = directory_.File("run/s");
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  chmod(path.c_str(), 0666);
  Spec spec = Shell(
      "python3 -c 'import socket\n"
      "s=socket.socket(socket.AF_UNIX); s.connect(\"/run/slipway/s\"); print(\"connected\")'");
  spec.run_directory = directory_.File("run");
  EXPECT_EQ(RunSpec(spec).out, "connected\n");
}

TEST_F(SandboxTest, GitWorksOnTheWorkspace) {
  const RunResult result = RunShell("git init -q . && touch a && git add a && git status --short");
  EXPECT_EQ(result.out, "A  a\n") << result.err;
}

TEST_F(SandboxTest, AMissingProgramFails) {
  Spec spec = Shell("");
  spec.argv = {"/nonexistent"};
  EXPECT_NE(RunSpec(spec).code, 0);
}

TEST_F(SandboxTest, AnUnreachableWorkspaceIsNamed) {
  SLIPWAY_NEEDS(geteuid() == 0, "needs root: only then are there two users");
  chmod(directory_.path().c_str(), 0700);
  EXPECT_THAT(sandbox::Run(Shell("true")), FailsWithReason("SANDBOX_PATH_UNREACHABLE"));
}

TEST_F(SandboxTest, ASetupThatFailsRunsNothing) {
  Spec spec = Shell("echo ran");
  spec.working_directory = "/absent";
  EXPECT_THAT(sandbox::Run(spec), FailsWithReason("SANDBOX_START_FAILED"));
}

TEST_F(SandboxTest, StartsInMilliseconds) {
  const absl::Duration begin = base::RealClock().Elapsed();
  for (int i = 0; i < 20; ++i) RunShell("true");
  std::cout << "start to end: " << (base::RealClock().Elapsed() - begin) / 20 << "\n";
}

TEST(SandboxCheckTest, AMissingBubblewrapIsNamed) {
  EXPECT_THAT(Check({.bubblewrap = "/nonexistent/bwrap"}), FailsWithReason("SANDBOX_MISSING"));
}

TEST(SandboxCheckTest, ABubblewrapThatDoesNotIsolateIsBroken) {
  EXPECT_THAT(Check({.bubblewrap = "/bin/true"}), FailsWithReason("SANDBOX_BROKEN"));
}

TEST(SandboxSpecTest, RootAndNulBytesAreRefused) {
  Spec spec{.argv = {"true"}, .env = {{"A", std::string("b\0--bind", 8)}}};
  EXPECT_THAT(Start(spec).status(), FailsWithReason("SANDBOX_SPEC_INVALID"));
  if (geteuid() != 0) return;
  EXPECT_THAT(Start({.argv = {"true"}, .uid = 0}).status(),
              FailsWithReason("SANDBOX_SPEC_INVALID"));
}

}  // namespace
}  // namespace slipway::sandbox
