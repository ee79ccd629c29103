#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/file.h"
#include "lib/base/process.h"
#include "lib/git/commit.h"
#include "lib/git/oid.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::git {

// A temporary directory in which the git command line makes repositories to compare with.
class GitFixture : public ::testing::Test {
 protected:
  struct Outcome {
    int code = 0;
    std::string out;
    std::string err;
  };

  // Runs git in `directory` with a fixed identity and time and no configuration of the machine.
  static Outcome RunGit(const std::string& directory, std::vector<std::string> arguments,
                        std::string input = "") {
    arguments.insert(arguments.begin(), "git");
    absl::StatusOr<base::CommandResult> result =
        base::RunCommand({.argv = std::move(arguments),
                          .env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                  {"HOME", "/nonexistent"},
                                  {"GIT_CONFIG_NOSYSTEM", "1"},
                                  {"GIT_AUTHOR_NAME", "Ada"},
                                  {"GIT_AUTHOR_EMAIL", "ada@example.com"},
                                  {"GIT_AUTHOR_DATE", "1700000000 +0130"},
                                  {"GIT_COMMITTER_NAME", "Ada"},
                                  {"GIT_COMMITTER_EMAIL", "ada@example.com"},
                                  {"GIT_COMMITTER_DATE", "1700000000 +0130"}},
                          .directory = directory},
                         absl::Seconds(60), std::move(input));
    if (!result.ok()) return {.code = -1, .err = result.status().ToString()};
    return {.code = result->exit.code, .out = result->out, .err = result->err};
  }

  // The trimmed output of a git command that must succeed.
  static std::string Git(const std::string& directory, const std::vector<std::string>& arguments,
                         std::string input = "") {
    const Outcome outcome = RunGit(directory, arguments, std::move(input));
    EXPECT_EQ(outcome.code, 0) << "git " << absl::StrJoin(arguments, " ") << ": " << outcome.err;
    return std::string(absl::StripAsciiWhitespace(outcome.out));
  }

  static Oid GitOid(const std::string& directory, const std::vector<std::string>& arguments,
                    std::string input = "") {
    const absl::StatusOr<Oid> oid = Oid::Parse(Git(directory, arguments, std::move(input)));
    EXPECT_OK(oid);
    return oid.value_or(Oid());
  }

  // A new repository with a work tree on branch main.
  std::string MakeWorkRepository(const std::string& name) {
    const std::string path = directory_.File(name);
    Git(directory_.path(), {"init", "-q", "-b", "main", path});
    return path;
  }

  static void WriteFile(const std::string& path, absl::string_view content) {
    EXPECT_OK(base::MakeDirectories(path.substr(0, path.rfind('/')), 0755));
    EXPECT_OK(base::WriteFileAtomic(path, content, 0644));
  }

  // Commits everything in the work tree; returns the commit.
  static Oid CommitAll(const std::string& repository, const std::string& message) {
    Git(repository, {"add", "-A"});
    Git(repository, {"commit", "-q", "--allow-empty", "-m", message});
    return GitOid(repository, {"rev-parse", "HEAD"});
  }

  static Signature Ada() {
    return {.name = "Ada",
            .email = "ada@example.com",
            .time = absl::FromUnixSeconds(1'700'000'000),
            .offset_minutes = 90};
  }

  testkit::TemporaryDirectory directory_;
};

// A small generator, so that a failing seed can be run again anywhere.
class Random final {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2'862'933'555'777'941'757u + 3'037'000'493u) {}

  // From 0 to `limit` - 1.
  uint32_t Below(uint32_t limit) {
    state_ = state_ * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
    return static_cast<uint32_t>(state_ >> 33) % limit;
  }

 private:
  uint64_t state_;
};

}  // namespace slipway::git
