#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

#include "lib/base/process.h"
#include "lib/patch/applier.h"
#include "lib/patch/fake_base_view.h"
#include "lib/patch/unified_parser.h"
#include "lib/testkit/matchers.h"

namespace slipway::patch {
namespace {

constexpr size_t kCommitsMax = 200;

base::CommandResult Git(const std::vector<std::string>& args) {
  base::Process::Options options;
  options.argv = {"git", "-C", SLIPWAY_SOURCE_DIR};
  options.argv.insert(options.argv.end(), args.begin(), args.end());
  options.env = {{"LC_ALL", "C"}};
  options.inherit_env = true;
  return base::RunCommand(std::move(options), absl::Seconds(60)).value();
}

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

// "mode oid path" of all files of a tree, as `git ls-tree` orders them.
std::vector<std::string> Listing(const std::string& commit) {
  std::vector<std::string> listing;
  const std::string listed = Git({"ls-tree", "-r", "-z", commit}).out;
  for (const absl::string_view row : absl::StrSplit(listed, '\0', absl::SkipEmpty())) {
    const std::vector<absl::string_view> halves = absl::StrSplit(row, absl::MaxSplits('\t', 1));
    const std::vector<absl::string_view> columns = absl::StrSplit(halves[0], ' ');
    listing.push_back(absl::StrCat(columns[0], " ", columns[2], " ", halves[1]));
  }
  return listing;
}

std::vector<std::string> Listing(const FakeBaseView& tree) {
  std::vector<std::string> listing;
  for (const auto& [path, state] : tree.files()) {
    listing.push_back(absl::StrFormat("%06o %s %s", state.mode, state.oid, path));
  }
  return listing;
}

TEST(HistoryTest, TheFirstCommitsOfThisProjectAreReplayedExactly) {
  const base::CommandResult log = Git({"rev-list", "--first-parent", "--reverse", "HEAD"});
  const base::CommandResult shallow = Git({"rev-parse", "--is-shallow-repository"});
  if (!log.exit.ok() || shallow.out != "false\n") GTEST_SKIP() << "no complete history here";
  std::vector<std::string> commits = Lines(log.out);
  if (commits.size() > kCommitsMax) commits.resize(kCommitsMax);
  FakeBaseView tree;
  std::string parent = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";  // The empty tree.
  for (const std::string& commit : commits) {
    SCOPED_TRACE(commit);
    const std::string diff =
        Git({"diff-tree", "-p", "--binary", "--full-index", "--no-renames", parent, commit}).out;
    parent = commit;
    if (diff.empty()) continue;
    ASSERT_OK_AND_ASSIGN(const Patch patch, ParseUnified(diff));
    ASSERT_OK_AND_ASSIGN(const std::vector<TreeChange> changes, Apply(patch, tree));
    tree.Update(changes);
  }
  EXPECT_EQ(Listing(tree), Listing(parent));
}

}  // namespace
}  // namespace slipway::patch
