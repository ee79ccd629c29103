// Hostile and damaged patches from end to end: what the strict and the tolerant mode make of each.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lib/git/repository.h"
#include "lib/git/tree.h"
#include "lib/inspection/inspect_patch.h"
#include "lib/patch/blob_id.h"
#include "lib/testkit/matchers.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::inspection {
namespace {

using patch::GitBlobId;
using ::testing::Contains;
using ::testing::IsEmpty;

constexpr char kOld[] = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n";
constexpr char kNew[] = "one\ntwo\nTHREE\nfour\nfive\nsix\nseven\neight\nnine\n";
constexpr char kHunk[] = "@@ -1,6 +1,6 @@\n one\n two\n-three\n+THREE\n four\n five\n six\n";
const std::string kNone(40, '0');

std::string Header(absl::string_view path) {
  return absl::StrCat("diff --git a/", path, " b/", path, "\n");
}
std::string Names(absl::string_view path) {
  return absl::StrCat("--- a/", path, "\n+++ b/", path, "\n");
}
std::string Index(absl::string_view before, absl::string_view after, absl::string_view mode = "") {
  return absl::StrCat("index ", GitBlobId(before), "..", GitBlobId(after), mode.empty() ? "" : " ",
                      mode, "\n");
}
const std::string kGood = Header("f") + Index(kOld, kNew, "100644") + Names("f") + kHunk;

std::string Replaced(absl::string_view from, absl::string_view to) {
  return absl::StrReplaceAll(kGood, {{from, to}});
}
std::string Added(absl::string_view path, absl::string_view mode = "100644") {
  return absl::StrCat(Header(path), "new file mode ", mode, "\nindex ", kNone, "..",
                      GitBlobId("x\n"), "\n--- /dev/null\n+++ b/", path, "\n@@ -0,0 +1 @@\n+x\n");
}
std::string Deleted(absl::string_view path) {
  return absl::StrCat(Header(path), "deleted file mode 100644\nindex ", GitBlobId("x\n"), "..",
                      kNone, "\n--- a/", path, "\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n");
}
std::string Moved(absl::string_view from, absl::string_view to, absl::string_view verb = "rename") {
  return absl::StrCat("diff --git a/", from, " b/", to, "\nsimilarity index 100%\n", verb, " from ",
                      from, "\n", verb, " to ", to, "\n");
}

std::string Link(absl::string_view path, absl::string_view target) {
  return absl::StrCat(Header(path), "new file mode 120000\nindex ", kNone, "..", GitBlobId(target),
                      "\n--- /dev/null\n+++ b/", path, "\n@@ -0,0 +1 @@\n+", target,
                      "\n\\ No newline at end of file\n");
}

struct Row {
  const char* row;
  std::string patch;
  const char* strict;    // A code; "" for accepted.
  const char* tolerant;  // A code; "" for accepted.
  policy::PathPolicy policy = {};
};

class ThreatTableTest : public ::testing::TestWithParam<Row> {
 protected:
  ThreatTableTest() {
    git::TreeChanges files;
    const auto put = [&](const std::string& path, absl::string_view content, uint32_t mode) {
      files[path] = git::FileChange{.mode = mode, .oid = *overlay_.PutBlob(content)};
    };
    put("f", kOld, git::kModeFile);
    put("run", kOld, git::kModeExecutable);
    put("crlf", absl::StrReplaceAll(kOld, {{"\n", "\r\n"}}), git::kModeFile);
    put("twice", absl::StrCat(kOld, kOld), git::kModeFile);
    put("x", "x\n", git::kModeFile);
    put("y", "y\n", git::kModeFile);
    put("d/x", "x\n", git::kModeFile);
    put("a b/c", "x\n", git::kModeFile);
    put("link", "f", git::kModeSymlink);
    put("decompose\xCC\x81", "x\n", git::kModeFile);
    base_ = *overlay_.WriteTree({}, files);
  }

  Report Inspect(const std::string& patch, Mode mode, const policy::PathPolicy& policy = {}) {
    const absl::StatusOr<Report> report =
        InspectPatch(overlay_, base_,
                     {.patch = patch, .mode = mode, .policy = policy, .task_allowed = allowed_});
    EXPECT_OK(report);
    return report.value_or(Report{});
  }

  static std::set<std::string> CodesOf(const Report& report) {
    std::set<std::string> codes;
    for (const policy::Finding& finding : report.findings) codes.insert(finding.code);
    return codes;
  }

  void Expect(const char* code, const Report& report) {
    if (*code == '\0') {
      EXPECT_THAT(CodesOf(report), IsEmpty()) << report.findings[0].detail;
      EXPECT_FALSE(report.tree.IsNull());
      return;
    }
    EXPECT_THAT(CodesOf(report), Contains(std::string(code)));
    EXPECT_NE(policy::FindRule(code), nullptr) << "no rule explains it";
    EXPECT_NE(report.verdict(), policy::Verdict::kAccept);
  }

  testkit::TemporaryDirectory directory_;
  git::Repository repository_ =
      git::Repository::InitBare(directory_.File("repository"), {}).value();
  git::Overlay overlay_{repository_};
  git::Oid base_;
  const std::vector<std::string> allowed_;
};

TEST_P(ThreatTableTest, StrictMode) {
  Expect(GetParam().strict, Inspect(GetParam().patch, Mode::kStrict, GetParam().policy));
}

TEST_P(ThreatTableTest, TolerantMode) {
  const Report report = Inspect(GetParam().patch, Mode::kTolerant, GetParam().policy);
  Expect(GetParam().tolerant, report);
  if (*GetParam().tolerant != '\0') return;
  EXPECT_EQ(report.normalised, *GetParam().strict != '\0' || GetParam().policy.allow_renames);
}

const policy::PathPolicy kRenames{.allow_renames = true};
const policy::PathPolicy kLinks{.allow_symlinks = true};

INSTANTIATE_TEST_SUITE_P(
    Paths, ThreatTableTest,
    ::testing::Values(Row{"P09", Added("aux.c"), "WIN_RESERVED", "WIN_RESERVED"},
                      Row{"P09Allowed", Added("aux.c"), "", "", {.allow_windows_names = true}},
                      Row{"P14", Added("a\xE2\x80\x8B"), "UNICODE_PATH", "UNICODE_PATH"},
                      Row{"P15", Added("e\xCC\x81"), "NFC_COLLISION", "NFC_COLLISION"},
                      Row{"P15Twin", Added("decompos\xC3\xA9"), "CASE_COLLISION", "CASE_COLLISION"},
                      Row{"P16", Added("F"), "CASE_COLLISION", "CASE_COLLISION"},
                      Row{"P16Directory", Added("D/y"), "CASE_COLLISION", "CASE_COLLISION"},
                      Row{"P27",
                          Header("q b/q") + "new file mode 100644\n" +
                              absl::StrCat("index ", kNone, "..", GitBlobId(""), "\n"),
                          "AMBIGUOUS_HEADER", "AMBIGUOUS_HEADER"},
                      Row{"P27Clear",
                          Header("q b/r") + "new file mode 100644\n" +
                              absl::StrCat("index ", kNone, "..", GitBlobId(""), "\n"),
                          "", ""},
                      Row{"P27Mode", Header("a b/c") + "old mode 100644\nnew mode 100755\n",
                          "MODE_CHANGE", "MODE_CHANGE"},
                      Row{"P28", Replaced("a/f b/f", "d/x d/x"), "PREFIX", "PREFIX"},
                      Row{"P29", absl::StrReplaceAll(kGood, {{"a/f", "i/f"}, {"b/f", "w/f"}}),
                          "PREFIX", ""},
                      Row{"C02", Added(".gitmodules."), "PROTECTED", "PROTECTED"},
                      Row{"C03", Link(".mailmap", "x"), "PROTECTED", "PROTECTED", kLinks}),
    [](const auto& info) { return std::string(info.param.row); });

INSTANTIATE_TEST_SUITE_P(
    Types, ThreatTableTest,
    ::testing::Values(
        Row{"T03", Header("link") + Names("link") + "@@ -1 +1 @@\n-f\n+x\n", "MISSING_INDEX",
            "SYMLINK"},
        Row{"T04", Replaced("100644", "120000"), "MODE_MISMATCH", "MODE_MISMATCH"},
        Row{"T01", Link("n", "f"), "SYMLINK", "SYMLINK"},
        Row{"T01Allowed", Link("n", "f"), "", "", kLinks},
        Row{"T01Nothing", Link("n", "none"), "SYMLINK_TARGET", "SYMLINK_TARGET", kLinks},
        Row{"T02", Link("n", "../x"), "SYMLINK_TARGET", "SYMLINK_TARGET", kLinks},
        Row{"T02Git", Link("n", ".git/config"), "SYMLINK_TARGET", "SYMLINK_TARGET", kLinks},
        Row{"P17", Link("aa", "d") + Added("AA/x"), "CASE_COLLISION", "CASE_COLLISION", kLinks},
        Row{"T08", Added("n", "100664"), "BAD_MODE", "BAD_MODE"},
        Row{"T10", Replaced("100644", "160000"), "SUBMODULE", "SUBMODULE"},
        Row{"T13", Header("f") + "old mode 100644\nnew mode 100755\n", "MODE_CHANGE",
            "MODE_CHANGE"},
        Row{"T14", Header("run") + "old mode 100644\nnew mode 100755\n", "STALE_MODE",
            "STALE_MODE"},
        Row{"T15", Header("run") + Names("run") + kHunk, "MISSING_INDEX", ""},
        Row{"T16", absl::StrReplaceAll(kGood, {{"a/f", "a/run"}, {"b/f", "b/run"}}),
            "MODE_MISMATCH", "MODE_MISMATCH"},
        Row{"T18", Deleted("d/x") + Added("d"), "", ""}),
    [](const auto& info) { return std::string(info.param.row); });

INSTANTIATE_TEST_SUITE_P(
    Stale, ThreatTableTest,
    ::testing::Values(
        Row{"S01", Added("x"), "EXISTS", "EXISTS"},
        Row{"S02", Moved("f", "x"), "EXISTS", "EXISTS", kRenames},
        Row{"S03", Moved("f", "x", "copy"), "EXISTS", "EXISTS", kRenames},
        Row{"S07", Moved("none", "n"), "MISSING", "MISSING", kRenames},
        Row{"S13", Moved("f", "d"), "DF_CONFLICT", "DF_CONFLICT", kRenames},
        Row{"S14", Moved("f", "n") + Moved("x", "n"), "DUP_TARGET", "EXISTS", kRenames},
        Row{"S15", Moved("f", "n") + Moved("f", "o"), "DUP_SOURCE", "MISSING", kRenames},
        Row{"S18", Moved("x", "y") + Moved("y", "x"), "", "", kRenames},
        Row{"S18Chain", Moved("f", "x") + Moved("x", "n"), "", "", kRenames},
        Row{"S19", Moved("f", "n", "copy") + kGood, "", "", kRenames},
        Row{"S20Equal",
            Moved("f", "n") + Index(kOld, kNew, "100644") + "--- a/f\n+++ b/n\n" + kHunk,
            "HEADER_MISMATCH", "", kRenames},
        Row{"S20",
            absl::StrReplaceAll(Moved("f", "n"), {{"100%", "90%"}}) + Index(kOld, kNew, "100644") +
                "--- a/f\n+++ b/n\n" + kHunk,
            "", "", kRenames},
        Row{"S20NoIndex",
            absl::StrReplaceAll(Moved("f", "n"), {{"100%", "90%"}}) + "--- a/f\n+++ b/n\n" + kHunk,
            "MISSING_INDEX", "", kRenames},
        Row{"S22", Moved("f", ".gitattributes"), "PROTECTED", "PROTECTED", kRenames},
        Row{"S22Out",
            Moved("f", "n"),
            "FORBIDDEN",
            "FORBIDDEN",
            {.forbidden = {"f"}, .allow_renames = true}},
        Row{"H25Off", Moved("f", "n"), "RENAME", "RENAME"},
        Row{"H25", "diff --git a/f b/n\nrename from f\nrename to n\n", "CORRUPT", "", kRenames}),
    [](const auto& info) { return std::string(info.param.row); });

INSTANTIATE_TEST_SUITE_P(
    Hunks, ThreatTableTest,
    ::testing::Values(
        Row{"Good", kGood, "", ""},
        Row{"H01", Replaced("-1,6 +1,6", "-3,6 +3,6"), "STALE", "STALE"},
        Row{"H01Loose", Names("f") + "@@ -3,6 +3,6 @@\n one\n two\n-three\n+THREE\n four\n",
            "FORMAT", ""},
        Row{"H02", Names("twice") + "@@ -3,2 +3,2 @@\n two\n-three\n+THREE\n", "FORMAT",
            "AMBIGUOUS"},
        Row{"H03", kGood + "+more\n", "TRAILING_GARBAGE", ""},
        Row{"H04", Replaced("-1,6 +1,6", "-1,3 +1,3"), "TRAILING_GARBAGE", ""},
        Row{"H05", Replaced("-1,6 +1,6", "-1,9 +1,9"), "COUNTS", ""},
        Row{"H06", kGood.substr(0, kGood.size() - 1), "MISSING_NEWLINE", ""},
        Row{"H08",
            Names("f") +
                "@@ -8,2 +8,2 @@\n eight\n-nine\n+NINE\n@@ -1,2 +1,2 @@\n-one\n+ONE\n two\n",
            "FORMAT", "ORDER"},
        Row{"H09",
            Names("f") + "@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n@@ -2,2 +2,2 @@\n-two\n+2\n three\n",
            "FORMAT", "OVERLAP"},
        Row{"H10", Names("f") + "@@ -2,0 +3 @@\n+new\n", "FORMAT", "ZERO_CONTEXT"},
        Row{"H11", absl::StrReplaceAll(kGood, {{"\n", "\r\n"}}), "EOL", ""},
        Row{"H12", Header("crlf") + Names("crlf") + kHunk, "MISSING_INDEX", ""},
        Row{"H15", Replaced("-1,6", "-1,99999999999999999999"), "CORRUPT", ""},
        Row{"H17", Replaced(" @@\n one", absl::StrCat(" @@ ", std::string(200, 's'), "\n one")), "",
            ""},
        Row{"H18", Header("f"), "EMPTY_CHANGE", "EMPTY_CHANGE"},
        Row{"H20", "diff --cc f\n", "FORMAT", "NO_EDIT"},
        Row{"H21", Names("f") + kHunk, "FORMAT", ""},
        Row{"H22", Replaced("--- a/f", "--- a/f\t2026-01-01"), "FORMAT", ""},
        Row{"H23", Header("x") + "--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", "MISSING_INDEX",
            ""},
        Row{"H24", Header("n") + "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n", "MISSING_INDEX",
            ""},
        Row{"H26", "```diff\n" + kGood + "```\n", "GARBAGE", ""},
        Row{"H26Prose", "Here it is.\n" + kGood, "GARBAGE", "GARBAGE"},
        Row{"H27", kGood + "then\n" + Added("n"), "GARBAGE", "CORRUPT"},
        Row{"H28", kGood + Names("x") + "@@ -1 +1 @@\n-x\n+z\n", "GARBAGE", "GARBAGE"},
        Row{"H29", Header("n") + "new file mode\n", "CORRUPT", "GARBAGE"},
        Row{"H31",
            Header("n") + "new file mode 100644\n" +
                absl::StrCat("index ", kNone, "..", GitBlobId(""), "\n"),
            "", ""},
        Row{"B05", Replaced(GitBlobId(kOld), std::string(40, 'a')), "STALE_OID", "STALE_OID"},
        Row{"B07", Replaced(GitBlobId(kNew), std::string(40, 'a')), "OID_MISMATCH", "OID_MISMATCH"},
        Row{"B02", Header("f") + Index(kOld, kNew, "100644") + "Binary files a/f and b/f differ\n",
            "BINARY_NODATA", "FORMAT"},
        Row{"M07", "{\"edits\":[],\"edits\":[]}\n", "GARBAGE", "JSON"}),
    [](const auto& info) { return std::string(info.param.row); });

TEST_F(ThreatTableTest, TheTreeIsThatOfTheChange) {
  const Report report = Inspect(kGood, Mode::kStrict);
  const auto entry = git::FindEntry(overlay_, report.tree, "f");
  ASSERT_OK(entry);
  EXPECT_EQ((*entry)->oid.ToHex(), GitBlobId(kNew));
  EXPECT_EQ(report.added, 1);
  EXPECT_EQ(report.removed, 1);
}

TEST_F(ThreatTableTest, AnotherTreeThanAnnouncedIsAFinding) {
  const policy::PathPolicy policy;
  const auto report = InspectPatch(
      overlay_, base_,
      {.patch = kGood, .policy = policy, .task_allowed = allowed_, .expected_tree = kNone});
  ASSERT_OK(report);
  EXPECT_EQ(CodesOf(*report), std::set<std::string>{"TREE_MISMATCH"});
}

TEST_F(ThreatTableTest, AnEditedExecutableKeepsItsMode) {
  const Report report = Inspect(Names("run") + kHunk, Mode::kTolerant);
  const auto entry = git::FindEntry(overlay_, report.tree, "run");
  ASSERT_OK(entry);
  EXPECT_EQ((*entry)->mode, git::kModeExecutable);
}

TEST_F(ThreatTableTest, EditsOfEveryTypedFormBecomeOneTree) {
  const std::string wanted = Inspect(kGood, Mode::kStrict).tree.ToHex();
  for (const std::string& typed :
       {std::string("f\n<<<<<<< SEARCH\nthree\n=======\nTHREE\n>>>>>>> REPLACE\n"),
        std::string(
            "*** Begin Patch\n*** Update File: f\n@@\n two\n-three\n+THREE\n*** End Patch\n"),
        std::string("{\"edits\":[{\"path\":\"f\",\"op\":\"replace\",\"old\":\"three\","
                    "\"new\":\"THREE\"}]}"),
        "```diff\n" + Names("f") + kHunk + "```\n"}) {
    const Report report = Inspect(typed, Mode::kTolerant);
    EXPECT_EQ(report.tree.ToHex(), wanted) << typed;
    EXPECT_TRUE(report.normalised);
    EXPECT_EQ(report.verdict(), policy::Verdict::kAccept);
  }
}

}  // namespace
}  // namespace slipway::inspection
