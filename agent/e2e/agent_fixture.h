#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "agent/e2e/fake_dispatcher.h"
#include "agent/e2e/fake_models.h"
#include "lib/base/file.h"
#include "lib/base/process.h"
#include "lib/git/git_fixture.h"
#include "lib/git/repository.h"
#include "lib/git/snapshot.h"
#include "lib/testkit/matchers.h"

namespace slipway::agent {

// The real program with a real sandbox, between a dispatcher and a models proxy of the test.
class AgentFixture : public git::GitFixture {
 protected:
  static constexpr char kAttempt[] = "projects/p/plans/n/tasks/t/attempts/1";
  static constexpr char kModelKey[] = "sk-attempt-0123456789";

  void SetUp() override {
    // The sandbox's user passes through it.
    ASSERT_EQ(chmod(directory_.path().c_str(), 0711), 0);
    repository_ = MakeWorkRepository("repository");
    models_ = std::make_unique<FakeModels>(directory_.File("models.sock"));
    dispatcher_.Start(address());
  }

  void TearDown() override {
    if (agent_.has_value()) {
      agent_->Signal(SIGKILL);
      agent_->Wait().IgnoreError();
    }
    dispatcher_.Stop();
    if (HasFailure()) std::cerr << AgentLog() << "\n";
  }

  std::string address() const { return "unix:" + directory_.File("agents.sock"); }
  std::string AgentLog() const {
    return base::ReadFile(directory_.File("agent.log")).value_or("no log");
  }

  void Put(const std::string& path, absl::string_view content) {
    WriteFile(repository_ + "/" + path, content);
  }
  std::string PackOf(const git::Oid& commit) {
    std::string pack;
    const git::Repository repository = git::Repository::Open(repository_).value();
    EXPECT_OK(git::WriteSnapshotPack(repository, commit, [&](absl::string_view bytes) {
      absl::StrAppend(&pack, bytes);
      return absl::OkStatus();
    }));
    return pack;
  }

  v1::Grant MakeGrant(const git::Oid& commit) {
    v1::Grant grant;
    grant.set_attempt(kAttempt);
    grant.set_epoch(1);
    grant.mutable_attempt_timeout()->set_seconds(60);
    grant.set_commit(commit.ToHex());
    return grant;
  }
  v1::Grant WriteGrant(const git::Oid& commit) {
    v1::Grant grant = MakeGrant(commit);
    v1::WriteChange& work = *grant.mutable_write_change();
    work.set_title("Greet politely");
    work.set_description("Make the greeting polite.");
    work.add_allowed_paths("**");
    work.set_backend("patch");
    work.set_role("writer");
    work.set_model_key(kModelKey);
    work.set_model_proxy("unix:" + directory_.File("models.sock"));
    work.set_intent("write");
    return grant;
  }
  v1::Grant CheckGrant(const git::Oid& commit,
                       const std::vector<std::vector<std::string>>& commands) {
    v1::Grant grant = MakeGrant(commit);
    v1::RunValidators& work = *grant.mutable_run_validators();
    work.set_validator_digest("digest-1");
    work.set_tree(Git(repository_, {"rev-parse", commit.ToHex() + "^{tree}"}));
    for (size_t i = 0; i < commands.size(); ++i) {
      common::v1::Validator& validator = *work.add_validators();
      validator.set_name(absl::StrCat("check-", i + 1));
      for (const std::string& word : commands[i]) validator.add_command(word);
    }
    return grant;
  }

  void StartAgent(const std::string& more_config = "") {
    const std::string config = absl::StrCat(
        "dispatcher_address: ", address(), "\n", "workspace_directory: ", directory_.File("w"),
        "\n", "validator_programs: [sh, cat, python3, no-such-program]\n", SandboxConfig(),
        more_config);
    ASSERT_OK(base::WriteFileAtomic(directory_.File("agent.yaml"), config));
    const base::UniqueFd log(open(directory_.File("agent.log").c_str(),
                                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    base::Process::Options options{
        .argv = {SLIPWAY_AGENT_PROGRAM, "--config", directory_.File("agent.yaml")},
        .env = {{"SLIPWAY_AGENT_ID", "agent-1"},
                {"SLIPWAY_AGENT_HOST", "hosts/local"},
                {"SLIPWAY_AGENT_TOKEN", FakeDispatcher::kToken}},
        .inherit_env = true,
        .fds = {{2, log.get()}}};
    ASSERT_OK_AND_ASSIGN(base::Process agent, base::Process::Spawn(options));
    agent_.emplace(std::move(agent));
  }
  // Waits for the agent's own end: its exit code, or 128 + signal, or -1.
  int AwaitExit() {
    const absl::StatusOr<base::ProcessExit> exit = agent_->Wait(FakeDispatcher::kPatience);
    if (!exit.ok()) return -1;
    agent_.reset();
    return exit->signal != 0 ? 128 + exit->signal : exit->code;
  }
  // Starts the agent and waits for the result of its only attempt.
  v1::SubmitResultRequest RunToResult() {
    StartAgent();
    if (!dispatcher_.AwaitResult()) {
      ADD_FAILURE() << "no result";
      return {};
    }
    EXPECT_EQ(AwaitExit(), 0);
    return dispatcher_.results.front();
  }

  // The tree that git makes of `patch` on `base`.
  std::string Apply(const git::Oid& base, const std::string& patch) {
    Git(repository_, {"read-tree", base.ToHex()});
    const Outcome applied = RunGit(repository_, {"apply", "--cached", "--binary"}, patch);
    EXPECT_EQ(applied.code, 0) << applied.err;
    return Git(repository_, {"write-tree"});
  }
  std::string Show(const std::string& tree, const std::string& path) {
    return RunGit(repository_, {"cat-file", "blob", tree + ":" + path}).out;
  }

  static std::string SandboxConfig() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return "sandbox: {memory_bytes: 100000000000000}\n";  // Shadow memory is address space.
#else
    return "";
#endif
  }

  std::string repository_;
  FakeDispatcher dispatcher_;
  std::unique_ptr<FakeModels> models_;
  std::optional<base::Process> agent_;
};

}  // namespace slipway::agent
