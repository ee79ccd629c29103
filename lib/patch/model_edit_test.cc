#include "lib/patch/model_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "lib/patch/blob_id.h"
#include "lib/patch/fake_base_view.h"
#include "lib/patch/renderer.h"
#include "lib/testkit/matchers.h"

namespace slipway::patch {
namespace {

using ::slipway::testkit::FailsWithReason;
using ::testing::HasSubstr;

class ModelEditTest : public ::testing::Test {
 protected:
  // The content of `path` after `reply` was applied to the base.
  absl::StatusOr<std::string> After(const std::string& path, const std::string& reply) {
    absl::StatusOr<std::vector<TreeChange>> changes = ReadModelEdit(reply, base_);
    if (!changes.ok()) return changes.status();
    FakeBaseView tree = base_;
    tree.Update(*changes);
    const auto file = tree.files().find(path);
    return file == tree.files().end() ? "(none)" : file->second.content;
  }
  auto Read(const std::string& reply) { return ReadModelEdit(reply, base_); }

  FakeBaseView base_{
      {"a.py", "def f():\n    x = 1\n    return x\n\ndef g():\n    x = 1\n    return 2\n"},
      {"crlf.txt", "one\r\ntwo\r\nthree\r\n"},
      {"end.txt", "first\nlast"},
      {"old.txt", "old\n"}};
};

TEST_F(ModelEditTest, JsonWritesReplacesAndDeletes) {
  const std::string reply = R"({"summary":"s","edits":[
      {"path":"new.sh","op":"write","content":"hi\n","executable":true},
      {"path":"a.py","op":"replace","old":"return x","new":"return y"},
      {"path":"old.txt","op":"delete"}]})";
  ASSERT_OK_AND_ASSIGN(const auto changes, Read(reply));
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_THAT(changes[0].after->content, HasSubstr("return y"));
  EXPECT_EQ(changes[1].path, "new.sh");
  EXPECT_EQ(changes[1].after->mode, kExecutable);
  EXPECT_FALSE(changes[2].after.has_value());
  EXPECT_OK(Read("```json\n" + reply + "\n```\n"));
}

TEST_F(ModelEditTest, SubmoduleInALooseDiffIsNamed) {
  EXPECT_THAT(Read("```diff\ndiff --git a/sub b/sub\nnew file mode 160000\n--- /dev/null\n"
                   "+++ b/sub\n@@ -0,0 +1 @@\n+Subproject commit 1\n```\n"),
              FailsWithReason("SUBMODULE"));
}

TEST_F(ModelEditTest, AMarkerBehindNothingButBlankLinesIsOutOfPlace) {
  EXPECT_THAT(Read("--- a/end.txt\n+++ b/end.txt\n@@ -1 +1 @@\n\n\n\\ No newline at end of file\n"),
              FailsWithReason("CORRUPT"));
}

TEST_F(ModelEditTest, UnsoundJsonIsRefused) {
  std::string deep = R"({"edits":)";
  for (int i = 0; i < 40; ++i) deep += "[";
  for (const std::string& reply :
       {std::string(R"({"edits":[],"edits":[]})"), deep + std::string(40, ']') + "}",
        std::string("{\"edits\":[{\"path\":\"\xFF\",\"op\":\"delete\"}]}"),
        std::string(R"({"edits":[{"path":"x","op":"write","content":"\u0000"}]})"),
        std::string(R"({"edits":[{"path":"x","op":"write","content":"a","old":"b"}]})"),
        std::string(R"({"edits":[{"path":"x","op":"move"}]})"), std::string(R"({"edits":[]})"),
        std::string(R"({"edits":[{"path":"a.py","op":"replace","old":"","new":"x"}]})"),
        std::string(R"({"edits":[)"), std::string(R"({"patch_base64":"***"})"),
        std::string(R"({"edits":[1],"patch":"x"})")}) {
    EXPECT_THAT(Read(reply), FailsWithReason("JSON")) << reply;
  }
}

TEST_F(ModelEditTest, APathOutsideTheTreeIsRefused) {
  EXPECT_THAT(Read(R"({"edits":[{"path":"../x","op":"write","content":"a"}]})"),
              FailsWithReason("PATH_TRAVERSAL"));
  EXPECT_THAT(Read("--- a/.git/config\n+++ b/.git/config\n@@ -1 +1 @@\n-a\n+b\n"),
              FailsWithReason("DOTGIT"));
}

TEST_F(ModelEditTest, AnOldTextThatOccursTwiceIsAmbiguous) {
  const absl::Status status =
      Read(R"({"edits":[{"path":"a.py","op":"replace","old":"x = 1","new":"x = 2"}]})").status();
  EXPECT_THAT(status, FailsWithReason("AMBIGUOUS"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("lines 2 and 6"));
}

TEST_F(ModelEditTest, ABinaryDiffComesAsBase64) {
  const std::string before = base_.files().at("old.txt").content;
  const std::string diff =
      RenderUnified({{.path = "old.txt",
                      .before = FileState{.mode = kRegular, .content = before},
                      .after = FileState{.mode = kRegular, .content = std::string("\0\xFF", 2)}}});
  EXPECT_THAT(
      After("old.txt", absl::StrCat("{\"patch_base64\":\"", absl::Base64Escape(diff), "\"}")),
      testkit::IsOkAndHolds(std::string("\0\xFF", 2)));
}

TEST_F(ModelEditTest, WrongCountsAndPositionsAreFound) {
  const std::string diff =
      "--- a/a.py\n+++ b/a.py\n@@ -40,9 +41,2 @@\n     x = 1\n-    return x\n+    return 3\n";
  const std::string wanted =
      absl::StrReplaceAll(base_.files().at("a.py").content, {{"return x", "return 3"}});
  EXPECT_THAT(After("a.py", diff), testkit::IsOkAndHolds(wanted));
  EXPECT_THAT(After("a.py", "Sure:\n```diff\n" + diff + "```\nDone."),
              testkit::IsOkAndHolds(wanted));
  EXPECT_THAT(After("a.py", "{\"patch\":\"" + absl::CEscape(diff) + "\"}"),
              testkit::IsOkAndHolds(wanted));
  EXPECT_THAT(Read("Sure:\n" + diff), FailsWithReason("GARBAGE"));
  EXPECT_THAT(Read("```diff\n" + diff + "```\n```diff\n" + diff + "```\n"),
              FailsWithReason("GARBAGE"));
}

TEST_F(ModelEditTest, RepeatedLinesNeedTheirStatedPosition) {
  const std::string hunk = "\n-    x = 1\n+    x = 7\n";
  EXPECT_THAT(Read("--- a/a.py\n+++ b/a.py\n@@ -3 +3 @@" + hunk), FailsWithReason("AMBIGUOUS"));
  EXPECT_THAT(After("a.py", "--- a/a.py\n+++ b/a.py\n@@ -6 +6 @@" + hunk),
              testkit::IsOkAndHolds("def f():\n    x = 1\n    return x\n\ndef g():\n    x = 7\n"
                                    "    return 2\n"));
}

TEST_F(ModelEditTest, ContextKeepsTheBytesOfTheFile) {
  base_.Put("t.c", "int a;  \n\tint b;\nint c;\n");
  EXPECT_THAT(
      After("t.c", "--- a/t.c\n+++ b/t.c\n@@ -1,3 +1,3 @@\n int a;\n-\tint b;\n+\tint B;\n"),
      testkit::IsOkAndHolds("int a;  \n\tint B;\nint c;\n"));
}

TEST_F(ModelEditTest, AddedLinesGetTheLineEndsOfTheFile) {
  EXPECT_THAT(After("crlf.txt", "--- a/crlf.txt\n+++ b/crlf.txt\n@@ -2 +2 @@\n-two\n+TWO\n"),
              testkit::IsOkAndHolds("one\r\nTWO\r\nthree\r\n"));
  EXPECT_THAT(After("old.txt", "--- a/old.txt\r\n+++ b/old.txt\r\n@@ -1 +1 @@\r\n-old\r\n+new\r\n"),
              testkit::IsOkAndHolds("new\n"));
}

TEST_F(ModelEditTest, OneIndentationMayBeMissing) {
  const std::string block =
      "a.py\n<<<<<<< SEARCH\nx = 1\nreturn 2\n=======\nx = 1\nif x:\n    return 2\n"
      ">>>>>>> REPLACE\n";
  EXPECT_THAT(After("a.py", block),
              testkit::IsOkAndHolds("def f():\n    x = 1\n    return x\n\ndef g():\n    x = 1\n"
                                    "    if x:\n        return 2\n"));
}

TEST_F(ModelEditTest, SearchReplaceBlocksApplyInOrder) {
  const std::string reply =
      "I change two files.\n\n`old.txt`\n```\n<<<<<<< SEARCH\nold\n=======\nnew\n"
      ">>>>>>> REPLACE\n```\n\n**new/file.txt**\n```\n<<<<<<< SEARCH\n=======\nfresh\n"
      ">>>>>>> REPLACE\n```\n";
  EXPECT_THAT(After("old.txt", reply), testkit::IsOkAndHolds("new\n"));
  EXPECT_THAT(After("new/file.txt", reply), testkit::IsOkAndHolds("fresh\n"));
  EXPECT_THAT(Read("old.txt\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n"),
              FailsWithReason("EXISTS"));
  EXPECT_THAT(Read("old.txt\n<<<<<<< SEARCH\nold\n=======\nx\n"), FailsWithReason("CORRUPT"));
}

TEST_F(ModelEditTest, EnvelopesAddUpdateMoveAndDelete) {
  const std::string reply =
      "*** Begin Patch\n*** Add File: n.txt\n+hello\n*** Delete File: old.txt\n"
      "*** Update File: a.py\n@@ def g():\n     x = 1\n-    return 2\n+    return 3\n"
      "*** Update File: end.txt\n*** Move to: moved.txt\n@@\n first\n-last\n+LAST\n"
      "*** End of File\n*** End Patch\n";
  EXPECT_THAT(After("n.txt", reply), testkit::IsOkAndHolds("hello\n"));
  EXPECT_THAT(After("old.txt", reply), testkit::IsOkAndHolds("(none)"));
  EXPECT_THAT(After("a.py", reply),
              testkit::IsOkAndHolds("def f():\n    x = 1\n    return x\n\ndef g():\n    x = 1\n"
                                    "    return 3\n"));
  EXPECT_THAT(After("moved.txt", reply), testkit::IsOkAndHolds("first\nLAST\n"));
  EXPECT_THAT(Read("*** Begin Patch\n*** Add File: old.txt\n+x\n*** End Patch\n"),
              FailsWithReason("EXISTS"));
  EXPECT_THAT(Read("*** Begin Patch\n*** Add File: x\n+x\n"), FailsWithReason("CORRUPT"));
}

TEST_F(ModelEditTest, LooseDiffsCreateAndDelete) {
  EXPECT_THAT(After("n.txt", "--- /dev/null\n+++ b/n.txt\n@@ -0,0 +1,9 @@\n+a\n+b\n"),
              testkit::IsOkAndHolds("a\nb\n"));
  EXPECT_THAT(After("old.txt", "--- a/old.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-old\n"),
              testkit::IsOkAndHolds("(none)"));
  EXPECT_THAT(Read("--- a/a.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-def f():\n"),
              FailsWithReason("STALE"));
  EXPECT_THAT(Read("--- /dev/null\n+++ b/old.txt\n@@ -0,0 +1 @@\n+x\n"), FailsWithReason("EXISTS"));
  EXPECT_THAT(Read("--- a/none\n+++ b/none\n@@ -1 +1 @@\n-x\n+y\n"), FailsWithReason("MISSING"));
}

TEST_F(ModelEditTest, AFailureShowsExpectedAndActualLines) {
  const absl::Status status =
      Read("--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n def f():\n-    x = 9\n+    x = 3\n").status();
  EXPECT_THAT(status, FailsWithReason("STALE"));
  EXPECT_EQ(base::DetailOf(status)->metadata.at("path"), "a.py");
  EXPECT_EQ(base::DetailOf(status)->metadata.at("hunk"), "1");
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("expected:     x = 9; line 2 is:     x = 1"));
}

TEST_F(ModelEditTest, TheLastLineKeepsItsMissingNewline) {
  EXPECT_THAT(
      After("end.txt", "--- a/end.txt\n+++ b/end.txt\n@@ -1,2 +1,2 @@\n-first\n+1st\n last\n"),
      testkit::IsOkAndHolds("1st\nlast"));
  EXPECT_THAT(After("end.txt", "--- a/end.txt\n+++ b/end.txt\n@@ -1,2 +1,3 @@\n last\n+more\n"),
              testkit::IsOkAndHolds("first\nlast\nmore\n"));
}

TEST_F(ModelEditTest, RepliesWithoutAnEditOrChangeAreRefused) {
  EXPECT_THAT(Read("I cannot do this."), FailsWithReason("NO_EDIT"));
  EXPECT_THAT(Read(R"({"edits":[{"path":"old.txt","op":"write","content":"old\n"}]})"),
              FailsWithReason("EMPTY_CHANGE"));
  EXPECT_THAT(Read("```diff\n--- a/old.txt\n+++ b/old.txt\n@@ -1 +1 @@\n-old\n"),
              FailsWithReason("CORRUPT"));
}

TEST_F(ModelEditTest, AnExactDiffForAnotherBaseIsNotSearchedFor) {
  const std::string diff =
      RenderUnified({{.path = "old.txt",
                      .before = FileState{.mode = kRegular, .content = "x\nold\n"},
                      .after = FileState{.mode = kRegular, .content = "x\nnew\n"}}});
  EXPECT_THAT(Read(diff), FailsWithReason("STALE_OID"));
}

TEST_F(ModelEditTest, AnExactDiffMayHaveLostItsLastNewline) {
  std::string diff = RenderUnified({{.path = "old.txt",
                                     .before = FileState{.mode = kRegular, .content = "old\n"},
                                     .after = FileState{.mode = kExecutable, .content = "new\n"}}});
  diff.pop_back();
  EXPECT_THAT(After("old.txt", diff), testkit::IsOkAndHolds("new\n"));
}

TEST_F(ModelEditTest, MutatedRepliesAreRefusedOrGiveSoundChanges) {
  const std::string replies[] = {
      "--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,3 @@\n def f():\n-    x = 1\n+    x = 2\n     return x\n",
      "a.py\n<<<<<<< SEARCH\ndef f():\n    x = 1\n=======\ndef f():\n    y = 1\n>>>>>>> REPLACE\n",
      "*** Begin Patch\n*** Update File: a.py\n@@ def g():\n     x = 1\n-    return 2\n+    z\n"
      "*** End Patch\n",
      R"({"edits":[{"path":"a.py","op":"replace","old":"return x","new":"return y"}]})"};
  for (uint32_t seed = 0; seed < 8'000; ++seed) {
    std::mt19937 dice(seed);
    std::string reply = replies[seed % 4];
    for (int i = 0; i < 3; ++i) {
      const size_t at = dice() % reply.size();
      switch (dice() % 3) {
        case 0:
          reply[at] = static_cast<char>(dice());
          break;
        case 1:
          reply.erase(at, 1 + dice() % 3);
          break;
        default:
          reply.insert(at, reply.substr(dice() % reply.size(), dice() % 30));
          break;
      }
    }
    const absl::StatusOr<std::vector<TreeChange>> changes = Read(reply);
    if (!changes.ok()) {
      ASSERT_NE(base::ReasonOf(changes.status()), "") << reply;
      continue;
    }
    for (const TreeChange& change : *changes) {
      if (!change.after) continue;
      ASSERT_EQ(change.after->oid, GitBlobId(change.after->content)) << reply;
    }
  }
}

}  // namespace
}  // namespace slipway::patch
