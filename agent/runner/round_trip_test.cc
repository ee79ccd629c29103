#include <map>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "agent/runner/git_tree.h"
#include "lib/git/git_fixture.h"
#include "lib/patch/model_edit.h"
#include "nlohmann/json.hpp"

namespace slipway::agent {
namespace {

// What a file of a generated tree holds, and whether it is executable.
struct File {
  std::string content;
  bool executable = false;
};
using Files = std::map<std::string, File>;

// Replays commits as rehearsals do: git's own diff as patch_base64, through the reader of edits and
// back out of git, must give the very tree.
class RoundTripTest : public git::GitFixture {
 protected:
  void SetUp() override { repository_ = MakeWorkRepository("repository"); }

  git::Oid Commit(const Files& files) {
    std::string index;
    for (const auto& [path, file] : files) {
      const std::string oid = Git(repository_, {"hash-object", "-w", "--stdin"}, file.content);
      absl::StrAppend(&index, file.executable ? "100755 " : "100644 ", oid, "\t", path);
      index.push_back('\0');
    }
    Git(repository_, {"read-tree", "--empty"});
    Git(repository_, {"update-index", "-z", "--index-info"}, index);
    const std::string tree = Git(repository_, {"write-tree"});
    return GitOid(repository_, {"commit-tree", "-m", "c", tree});
  }

  void ExpectExact(const Files& before, const Files& after, const std::string& name) {
    SCOPED_TRACE(name);
    const git::Oid base = Commit(before);
    const git::Oid goal = Commit(after);
    const std::string goal_tree = Git(repository_, {"rev-parse", goal.ToHex() + "^{tree}"});
    const std::string diff =
        RunGit(repository_, {"diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames",
                             base.ToHex(), goal.ToHex()})
            .out;
    const std::string scratch = absl::StrCat(directory_.File("scratch-"), ++count_);
    ASSERT_OK_AND_ASSIGN(GitTree tree, GitTree::Open(repository_, base.ToHex(), scratch));
    const std::string reply = nlohmann::json{{"patch_base64", absl::Base64Escape(diff)}}.dump();

    ASSERT_OK_AND_ASSIGN(const std::vector<patch::TreeChange> changes,
                         patch::ReadModelEdit(reply, tree));
    ASSERT_OK_AND_ASSIGN(const std::string written, tree.WriteTree(changes));
    ASSERT_OK_AND_ASSIGN(const std::string answer, tree.Diff(written));

    EXPECT_EQ(written, goal_tree);
    EXPECT_EQ(answer, diff);
  }

  std::string repository_;
  int count_ = 0;
};

std::string Bytes(git::Random& random, size_t size) {
  std::string bytes;
  for (size_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>(random.Below(256)));
  return bytes;
}

std::string OddContent(git::Random& random) {
  std::string text;
  const char* const ends[] = {"\n", "\r\n", "\n", "\r"};
  const char* const end = ends[random.Below(4)];
  switch (random.Below(7)) {
    case 0:
      return "";
    case 1:
      return Bytes(random, 1 + random.Below(5'000));
    case 2:
      return "caf\xe9 in Latin-1\n\xff\xfe\n";
    case 3:
      return "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n\\ No newline at end of file\n";
    default:
      for (uint32_t i = 0, lines = random.Below(60); i < lines; ++i) {
        absl::StrAppend(&text, "line ", random.Below(12), random.Below(5) == 0 ? "\t " : "", end);
      }
      if (random.Below(3) == 0) absl::StrAppend(&text, "no newline at end");
      return text;
  }
}

const std::vector<std::string>& OddNames() {
  static const auto& names = *new std::vector<std::string>{
      "plain.txt",
      "with space.txt",
      "tab-free/deep/er/path.c",
      "\xc3\xbcml\xc3\xa4ut.txt",
      "quote\"inside.txt",
      "semi;colon.sh",
      "dollar$(id).sh",
      "star*.txt",
      "a x/c d/e f.txt",
      "UPPER.TXT",
      "dash-inside/-leading.not",
      "\xe6\x97\xa5\xe6\x9c\xac.md",
      "b/b",
      "ignored.log",
      "empty",
      "run.sh",
      "[brackets].txt",
      "hash#mark.txt",
  };
  return names;
}

Files Generate(git::Random& random) {
  Files files;
  for (const std::string& name : OddNames()) {
    if (name.find("/-") != std::string::npos) continue;  // Refused by the rules for paths.
    if (random.Below(3) == 0) continue;
    files[name] = {.content = OddContent(random), .executable = random.Below(4) == 0};
  }
  return files;
}

Files Mutate(Files files, git::Random& random) {
  for (const std::string& name : OddNames()) {
    if (name.find("/-") != std::string::npos) continue;
    switch (random.Below(5)) {
      case 0:
        files.erase(name);
        break;
      case 1:
        files[name] = {.content = OddContent(random), .executable = random.Below(4) == 0};
        break;
      case 2:
        if (files.count(name) > 0) files[name].executable = !files[name].executable;
        break;
      case 3:
        if (files.count(name) > 0) absl::StrAppend(&files[name].content, "appended");
        break;
      default:
        break;
    }
  }
  return files;
}

TEST_F(RoundTripTest, GeneratedChangesGiveTheVeryTree) {
  WriteFile(repository_ + "/.gitignore", "*.log\n");
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    git::Random random(seed);
    const Files before = Generate(random);
    Files after = Mutate(before, random);
    after["always.txt"] = {.content = absl::StrCat("seed ", seed)};
    ExpectExact(before, after, absl::StrCat("seed ", seed));
  }
}

TEST_F(RoundTripTest, AttributesOfTheRepositoryChangeNothing) {
  const Files rules = {{".gitattributes", {"* text=auto eol=crlf\n*.c ident\n*.bin -diff\n"}}};
  Files before = rules;
  before["a.txt"] = {"one\r\ntwo\n"};
  before["x.bin"] = {"text that is called binary\n"};
  Files after = rules;
  after["a.txt"] = {"one\ntwo\r\nthree\r\n"};
  after["b.c"] = {"$Id: 123 $\r\n"};
  after["x.bin"] = {"other text\n"};

  ExpectExact(before, after, "attributes");
}

TEST_F(RoundTripTest, AFileGivesWayToADirectoryAndBack) {
  ExpectExact({{"x", {"file\n"}}, {"y/z", {"inner\n"}}}, {{"x/inner", {"new\n"}}, {"y", {"n\n"}}},
              "file and directory");
}

TEST_F(RoundTripTest, AModeAloneChanges) {
  ExpectExact({{"run.sh", {"#!/bin/sh\n", false}}}, {{"run.sh", {"#!/bin/sh\n", true}}}, "mode");
}

}  // namespace
}  // namespace slipway::agent
