#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

#include "lib/base/process.h"
#include "lib/patch/fake_base_view.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::patch {

// A bare repository of its own, driven through the git program: the oracle of the tests.
class GitSandbox final {
 public:
  GitSandbox() { Run({"init", "--quiet", "--bare"}); }

  // The output of git with `args`; a failure fails the test.
  std::string Run(const std::vector<std::string>& args, const std::string& input = "") {
    const base::CommandResult result = Try(args, input);
    EXPECT_TRUE(result.exit.ok()) << args[0] << ": " << result.err;
    return result.out;
  }

  base::CommandResult Try(const std::vector<std::string>& args, const std::string& input = "") {
    base::Process::Options options;
    options.argv = {"git"};
    options.argv.insert(options.argv.end(), args.begin(), args.end());
    options.env = {{"GIT_DIR", directory_.path()},
                   {"GIT_CONFIG_NOSYSTEM", "1"},
                   {"GIT_CONFIG_GLOBAL", "/dev/null"},
                   {"HOME", directory_.path()},
                   {"LC_ALL", "C"}};
    options.inherit_env = true;
    options.directory = directory_.path();
    return base::RunCommand(std::move(options), absl::Seconds(60), input).value();
  }

  // Writes the files of `tree` and returns the tree's id.
  std::string WriteTree(const FakeBaseView& tree) {
    Run({"read-tree", "--empty"});
    std::string index;
    for (const auto& [path, state] : tree.files()) {
      const std::string oid = Run({"hash-object", "-w", "--stdin"}, state.content);
      index += absl::StrFormat("%06o %s\t%s", state.mode, absl::StripSuffix(oid, "\n"), path);
      index.push_back('\0');
    }
    Run({"update-index", "-z", "--index-info"}, index);
    return std::string(absl::StripSuffix(Run({"write-tree"}), "\n"));
  }

  // The diff between two trees in the form that ParseUnified reads.
  std::string Diff(const std::string& before, const std::string& after) {
    return Run({"diff-tree", "-p", "--binary", "--full-index", "--no-renames", before, after});
  }

 private:
  testkit::TemporaryDirectory directory_;
};

}  // namespace slipway::patch
