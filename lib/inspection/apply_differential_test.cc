// Mutated patches of real commits against `git apply --cached`: whatever tree comes out here must
// be the one that git makes. SLIPWAY_DIFFERENTIAL_MUTATIONS says how many mutations are tried,
// SLIPWAY_DIFFERENTIAL_REPOSITORY on the history of which repository.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/process.h"
#include "lib/git/commit.h"
#include "lib/git/overlay.h"
#include "lib/git/repository.h"
#include "lib/inspection/own_history.h"
#include "lib/inspection/tree_base_view.h"
#include "lib/patch/applier.h"
#include "lib/patch/unified_parser.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/requirement.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::inspection {
namespace {

using Lines = std::vector<std::string>;

// The git program with an index and objects of its own over a repository that is only read.
class GitOracle final {
 public:
  explicit GitOracle(const std::string& repository) : repository_(repository) {}

  base::CommandResult Run(std::vector<std::string> arguments, const std::string& input = "") const {
    arguments.insert(arguments.begin(), {"git", "--git-dir", repository_});
    return base::RunCommand({.argv = std::move(arguments),
                             .env = {{"GIT_INDEX_FILE", directory_.File("index")},
                                     {"GIT_OBJECT_DIRECTORY", directory_.path()},
                                     {"GIT_ALTERNATE_OBJECT_DIRECTORIES", repository_ + "/objects"},
                                     {"GIT_CONFIG_NOSYSTEM", "1"},
                                     {"GIT_CONFIG_GLOBAL", "/dev/null"},
                                     {"LC_ALL", "C"}},
                             .inherit_env = true,
                             .directory = directory_.path()},
                            absl::Seconds(60), input)
        .value();
  }

  // The tree that `patch` makes of `base`; absent when git refuses it.
  std::optional<std::string> Apply(const std::string& base, const std::string& patch) const {
    if (base == std::string(40, '0')) {
      EXPECT_TRUE(Run({"read-tree", "--empty"}).exit.ok());
    } else {
      EXPECT_TRUE(Run({"read-tree", base}).exit.ok());
    }
    // Hunks without context are accepted where they stand exactly, as the rules say.
    const auto applied = Run({"apply", "--cached", "--whitespace=nowarn", "--unidiff-zero"}, patch);
    if (!applied.exit.ok()) return std::nullopt;
    const auto tree = Run({"write-tree"});
    if (!tree.exit.ok()) return std::nullopt;
    return std::string(absl::StripSuffix(tree.out, "\n"));
  }

 private:
  const std::string repository_;
  testkit::TemporaryDirectory directory_;
};

class Mutator final {
 public:
  explicit Mutator(uint32_t seed) : dice_(seed) {}

  std::string Mutate(const std::string& patch) {
    Lines lines = absl::StrSplit(patch, '\n');
    lines.pop_back();  // Patches end in a newline.
    for (int i = 1 + Below(2); i > 0 && !lines.empty(); --i) MutateOnce(lines);
    return lines.empty() ? "" : absl::StrCat(absl::StrJoin(lines, "\n"), "\n");
  }

 private:
  size_t Below(size_t limit) { return dice_() % limit; }

  void MutateOnce(Lines& lines) {
    const size_t at = Below(lines.size());
    std::string& line = lines[at];
    switch (Below(12)) {
      case 0:
        lines.erase(lines.begin() + at);
        break;
      case 1:
        lines.insert(lines.begin() + at, lines[Below(lines.size())]);
        break;
      case 2:
        std::swap(line, lines[Below(lines.size())]);
        break;
      case 3:
      case 4:
        ChangeDigit(Find(lines, "@@ -"));
        break;
      case 5:
        if (!line.empty()) line[0] = " +-\\@d"[Below(6)];
        break;
      case 6:
        if (!line.empty()) line[Below(line.size())] = static_cast<char>(32 + Below(95));
        break;
      case 7:
        ChangeDigit(Find(lines, Below(2) == 0 ? "new file mode" : "index "));
        break;
      case 8: {
        std::string& header = Find(lines, Below(2) == 0 ? "+++ " : "diff --git");
        if (!header.empty()) header.insert(4 + Below(header.size() - 3), 1, "/. ab\t"[Below(6)]);
        break;
      }
      case 9:
        line += Below(2) == 0 ? "\r" : " ";
        break;
      case 10:
        lines.insert(lines.begin() + at, "\\ No newline at end of file");
        break;
      default:
        if (at + 1 < lines.size()) std::swap(line, lines[at + 1]);
        break;
    }
  }

  // A random line that starts with `prefix`, else any.
  std::string& Find(Lines& lines, absl::string_view prefix) {
    const size_t from = Below(lines.size());
    for (size_t i = 0; i < lines.size(); ++i) {
      std::string& line = lines[(from + i) % lines.size()];
      if (absl::StartsWith(line, prefix)) return line;
    }
    return lines[from];
  }

  void ChangeDigit(std::string& line) {
    std::vector<size_t> digits;
    for (size_t i = 0; i < line.size(); ++i) {
      if (line[i] >= '0' && line[i] <= '9') digits.push_back(i);
    }
    if (!digits.empty()) line[digits[Below(digits.size())]] = static_cast<char>('0' + Below(10));
  }

  std::mt19937 dice_;
};

// The tree that our own reader and applier make; without the safety of the object ids when
// `believe_content`, so that the engine itself is compared.
absl::StatusOr<std::string> OurTree(const git::Repository& repository, const git::Oid& base_tree,
                                    const std::string& text, bool believe_content, bool renames) {
  const patch::Limits limits{.renames = renames};
  absl::StatusOr<patch::Patch> patch = patch::ParseUnified(text, limits);
  if (!patch.ok()) return patch.status();
  for (patch::FileChange& change : patch->files) {
    if (believe_content && !change.binary()) change.new_oid.clear();
  }
  git::Overlay overlay(repository);
  TreeBaseView base(overlay, base_tree);
  const auto changes = patch::Apply(*patch, base, limits);
  if (!changes.ok()) return changes.status();
  git::TreeChanges tree_changes;
  for (const patch::TreeChange& change : *changes) {
    std::optional<git::FileChange>& entry = tree_changes[change.path];
    if (!change.after.has_value()) continue;
    entry = git::FileChange{.mode = change.after->mode,
                            .oid = overlay.PutBlob(change.after->content).value()};
  }
  const auto tree = overlay.WriteTree(base_tree, tree_changes);
  if (!tree.ok()) return tree.status();
  return tree->ToHex();
}

std::string FromEnvironment(const char* name, const std::string& standard) {
  const char* const value = std::getenv(name);
  return value == nullptr ? standard : value;
}

TEST(ApplyDifferentialTest, AMutatedPatchGivesTheTreeOfGitOrNone) {
  const std::string path = FromEnvironment("SLIPWAY_DIFFERENTIAL_REPOSITORY", OwnHistory());
  uint32_t mutations = 0;
  ASSERT_TRUE(
      absl::SimpleAtoi(FromEnvironment("SLIPWAY_DIFFERENTIAL_MUTATIONS", "1500"), &mutations));
  const absl::StatusOr<git::Repository> repository = git::Repository::Open(path);
  SLIPWAY_NEEDS(repository.ok(), "the sources have no history");
  const GitOracle git(path);
  const auto listed =
      git.Run({"rev-list", "--no-merges", "--min-parents=1", "--max-count=2000", "HEAD"});
  const Lines commits = absl::StrSplit(listed.out, '\n', absl::SkipEmpty());
  if (commits.size() < 10) GTEST_SKIP() << "the history is shallow or short";
  size_t accepted = 0;
  std::map<std::string, size_t> refused;
  for (uint32_t seed = 1; seed <= mutations; ++seed) {
    std::mt19937 dice(seed);
    const std::string& commit = commits[dice() % commits.size()];
    const bool renames = dice() % 2 == 0;
    SCOPED_TRACE(absl::StrCat("seed ", seed, ", commit ", commit));
    const std::string patch = git.Run({"diff-tree", "-r", "-p", "--binary", "--full-index",
                                       renames ? "-M20%" : "--no-renames",
                                       absl::StrCat("-U", dice() % 4), commit + "^", commit})
                                  .out;
    if (patch.empty() || patch.size() > (256 << 10)) continue;
    const git::Oid parent =
        git::ReadCommit(*repository, git::Oid::Parse(commit).value()).value().parents.front();
    const git::Oid base = git::ReadCommit(*repository, parent)->tree;
    // One patch is mutated several times: making it costs more than reading it.
    for (uint32_t round = 0; round < 8; ++round, ++seed) {
      const std::string mutated = Mutator(seed).Mutate(patch);
      const bool believe = round % 4 != 0;
      const absl::StatusOr<std::string> ours =
          OurTree(*repository, base, mutated, believe, renames);
      if (!ours.ok()) {
        ASSERT_NE(base::ReasonOf(ours.status()), "") << ours.status();
        ++refused[base::ReasonOf(ours.status())];
        continue;
      }
      ++accepted;
      const std::optional<std::string> gits = git.Apply(base.ToHex(), mutated);
      ASSERT_TRUE(gits.has_value()) << "git refuses:\n" << mutated;
      ASSERT_EQ(*ours, *gits) << mutated;
    }
  }
  std::cout << accepted << " accepted";
  for (const auto& [reason, count] : refused) std::cout << ", " << count << " " << reason;
  std::cout << std::endl;
  EXPECT_GT(accepted, mutations / 100) << "hardly any mutation was compared";
}

}  // namespace
}  // namespace slipway::inspection
