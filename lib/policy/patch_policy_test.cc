#include "lib/policy/patch_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <re2/re2.h>

#include <filesystem>
#include <functional>
#include <set>

#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/patch/applier.h"
#include "lib/patch/blob_id.h"
#include "lib/patch/fake_base_view.h"
#include "lib/patch/renderer.h"
#include "lib/patch/unified_parser.h"
#include "lib/policy/keyword_index.h"
#include "lib/policy/rule_table.h"
#include "lib/policy/secret_scanner.h"
#include "lib/testkit/matchers.h"

namespace slipway::policy {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr char kFiveLines[] = "one\ntwo\nthree\nfour\nfive\nsix\n";

// Parts of credentials are put together here so that no scanner takes this file for a leak.
std::string Key(absl::string_view prefix, absl::string_view rest) {
  return absl::StrCat(prefix, rest);
}

patch::TreeChange Put(std::string path, std::string content, uint32_t mode = patch::kRegular) {
  std::string oid = patch::GitBlobId(content);
  return {.path = std::move(path),
          .after =
              patch::FileState{.mode = mode, .oid = std::move(oid), .content = std::move(content)}};
}
patch::TreeChange Drop(std::string path) { return {.path = std::move(path), .after = {}}; }

std::string Long(absl::string_view indentation) {
  std::string text;
  for (int i = 0; i < 30; ++i) absl::StrAppend(&text, indentation, "line ", i, "\n");
  return text;
}

class PatchPolicyTest : public ::testing::Test {
 protected:
  PatchPolicyTest() {
    base_.Put("README.md", "# Shop\n");
    base_.Put("src/Main.py", "print(1)\n");
    base_.Put("src/lines.txt", kFiveLines);
    base_.Put("tests/test_main.py", "def test_main():\n    assert True\n");
    base_.Put("run.sh", "#!/bin/sh\n", patch::kExecutable);
    base_.Put("logo.png", std::string("\x89PNG\0\1", 6));
    base_.Put("latin.txt", "caf\xE9\n");
    base_.Put("cover.cfg", "[report]\nfail_under = 90\n");
    base_.Put("web/yarn.lock", "resolved \"https://registry.example/x.tgz\"\nintegrity a\n");
    base_.Put("web/package.json", "{ }\n");
    base_.Put("src/long.txt", Long("\t"));
    base_.Put("link", "README.md", patch::kSymlink);
    for (int i = 0; i < 70; ++i) base_.Put(absl::StrCat("many/", i, ".txt"), "x\n");
  }

  std::vector<Finding> Check(const std::vector<patch::TreeChange>& changes,
                             const PathPolicy& policy = {},
                             const std::vector<std::string>& allowed = {}) {
    const absl::StatusOr<std::string> diff = patch::RenderChanges(changes, base_);
    EXPECT_OK(diff);
    const absl::StatusOr<patch::Patch> patch = patch::ParseUnified(*diff);
    EXPECT_OK(patch);
    if (!patch.ok()) return {};
    const absl::StatusOr<std::vector<patch::TreeChange>> applied = patch::Apply(*patch, base_);
    EXPECT_OK(applied);
    if (!applied.ok()) return {};
    const absl::StatusOr<std::vector<Finding>> findings =
        CheckPatch({.patch = *patch, .changes = *applied, .bytes = diff->size(), .base = base_},
                   policy, allowed);
    EXPECT_OK(findings);
    return findings.value_or(std::vector<Finding>());
  }

  static std::set<std::string> CodesOf(const std::vector<Finding>& findings) {
    std::set<std::string> codes;
    for (const Finding& finding : findings) codes.insert(finding.code);
    return codes;
  }

  patch::FakeBaseView base_;
};

TEST_F(PatchPolicyTest, OrdinaryChangesPass) {
  EXPECT_THAT(Check({Put("src/new.py", "import os\n\n\ndef f(x):\n\treturn x\n"),
                     Put("src/Main.py", "print(2)\n"), Drop("README.md"),
                     Put("docs/guide.md", "Title\n=======\n\nCaf\xC3\xA9 \xE2\x9C\x85 done\n"),
                     Put("bin/tool", "#!/bin/sh\n", patch::kExecutable),
                     Put("latin.txt", "caf\xE9 cr\xE8me\n"), Put("crlf.txt", "a\r\nb\r\n"),
                     Put("bom.txt", "\xEF\xBB\xBFtext\n")}),
              IsEmpty());
}

struct Hostile {
  const char* name;
  const char* code;
  std::vector<patch::TreeChange> changes;
  PathPolicy policy = {};
  std::vector<std::string> allowed = {};
};

class HostilePatch : public PatchPolicyTest, public ::testing::WithParamInterface<Hostile> {};

TEST_P(HostilePatch, IsFoundWithItsCode) {
  const std::vector<Finding> findings =
      Check(GetParam().changes, GetParam().policy, GetParam().allowed);
  EXPECT_THAT(CodesOf(findings), UnorderedElementsAre(GetParam().code));
}

Hostile Path(const char* name, const char* code, const char* path) {
  return {name, code, {Put(path, "x\n")}};
}
Hostile Text(const char* name, const char* code, const std::string& text) {
  return {name, code, {Put("src/new.txt", text)}};
}
Hostile Secret(const char* name, const std::string& text) { return Text(name, "SECRET", text); }

std::vector<patch::TreeChange> DropMany(int count) {
  std::vector<patch::TreeChange> changes;
  for (int i = 0; i < count; ++i) changes.push_back(Drop(absl::StrCat("many/", i, ".txt")));
  return changes;
}

std::vector<patch::TreeChange> PutMany(int count) {
  std::vector<patch::TreeChange> changes;
  for (int i = 0; i < count; ++i) changes.push_back(Put(absl::StrCat("new/", i, ".txt"), "x\n"));
  return changes;
}

const std::string kElf = std::string(
                             "\x7F"
                             "ELF\2\1\1\0",
                             8) +
                         std::string(64, '\0');

INSTANTIATE_TEST_SUITE_P(
    Paths, HostilePatch,
    ::testing::Values(
        Hostile{"OutsideTask", "NOT_ALLOWED", {Put("lib/a", "x\n")}, {}, {"src/**"}},
        Hostile{"PrefixIsNoDirectory", "NOT_ALLOWED", {Put("srcx/a", "x\n")}, {}, {"src/**"}},
        Hostile{"CaseCounts", "NOT_ALLOWED", {Put("DOC/a", "x\n")}, {}, {"doc/**"}},
        Hostile{"OutsideProject",
                "NOT_ALLOWED",
                {Put("lib/a", "x\n")},
                {.allowed = {"src/**"}},
                {"lib/**"}},
        Hostile{"Forbidden", "FORBIDDEN", {Put("db/a.sql", "x\n")}, {.forbidden = {"db/**"}}},
        Hostile{"DeletedForbidden", "FORBIDDEN", {Drop("README.md")}, {.forbidden = {"*.md"}}},
        Path("GitAttributes", "PROTECTED", ".gitattributes"),
        Path("GitAttributesBelow", "PROTECTED", "src/.GitAttributes"),
        Path("GitModules", "PROTECTED", ".gitmodules"),
        Path("GitModulesUpper", "PROTECTED", ".GITMODULES"),
        Path("GitModulesShort", "PROTECTED", "GITMOD~1"),
        Path("CodeOwners", "PROTECTED", ".github/CODEOWNERS"),
        Hostile{"ProtectedStaysProtected",
                "PROTECTED",
                {Put(".gitattributes", "x\n")},
                {.unprotected = {"**"}}},
        Path("GitIgnore", "GIT_SETTINGS", ".gitignore"),
        Path("Mailmap", "GIT_SETTINGS", ".mailmap"),
        Path("Workflow", "CI", ".github/workflows/ci.yml"),
        Path("WorkflowUpper", "CI", ".GitHub/Workflows/CI.yml"),
        Path("Gitlab", "CI", ".gitlab-ci.yml"), Path("Jenkins", "CI", "Jenkinsfile"),
        Path("Circle", "CI", ".circleci/config.yml"), Path("Husky", "HOOKS", ".husky/pre-commit"),
        Path("PreCommit", "HOOKS", ".pre-commit-config.yaml"),
        Hostile{"ExecutableHook",
                "HOOKS",
                {Put("tools/post-merge", "#!/bin/sh\n", patch::kExecutable)}},
        Path("Claude", "AGENT_CONFIG", "CLAUDE.md"), Path("Agents", "AGENT_CONFIG", "a/AGENTS.md"),
        Path("Cursor", "AGENT_CONFIG", ".cursor/rules/x"), Path("Mcp", "AGENT_CONFIG", ".mcp.json"),
        Path("Vscode", "AGENT_CONFIG", ".vscode/tasks.json"),
        Path("Envrc", "EXEC_SURFACE", ".envrc"), Path("Npmrc", "EXEC_SURFACE", "web/.npmrc"),
        Path("Cargo", "EXEC_SURFACE", ".cargo/config.toml"), Path("Env", "SECRET_FILE", ".env"),
        Path("Pem", "SECRET_FILE", "certs/server.pem"), Path("SshKey", "SECRET_FILE", "id_rsa"),
        Path("Kube", "SECRET_FILE", "kubeconfig"), Path("SetupPy", "EXEC_SURFACE", "setup.py"),
        Path("BuildRs", "EXEC_SURFACE", "a/build.rs"),
        Path("Conftest", "EXEC_SURFACE", "conftest.py"), Path("Device", "WIN_RESERVED", "d/aux.c"),
        Path("LockAlone", "SUPPLY_CHAIN", "web/package-lock.json"),
        Path("GoSumAlone", "SUPPLY_CHAIN", "go.sum"),
        Path("FileTwin", "CASE_COLLISION", "README.MD"),
        Path("DirectoryTwin", "CASE_COLLISION", "SRC/x.py"),
        Hostile{"TwinsInOnePatch", "CASE_COLLISION", {Put("n/a", "x\n"), Put("n/A", "y\n")}}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Kinds, HostilePatch,
    ::testing::Values(
        Hostile{"Symlink", "SYMLINK", {Put("other", "README.md", patch::kSymlink)}},
        Hostile{"ChangedSymlink", "SYMLINK", {Put("link", "run.sh", patch::kSymlink)}},
        Hostile{"DeletedSymlink", "SYMLINK", {Drop("link")}},
        Hostile{
            "LinkBecomesFile", "TYPE_CHANGE", {Put("link", "text\n")}, {.allow_symlinks = true}},
        Hostile{"GainsExecutableBit",
                "MODE_CHANGE",
                {Put("src/Main.py", "print(1)\n", patch::kExecutable)}},
        Hostile{"LosesExecutableBit", "MODE_CHANGE", {Put("run.sh", "#!/bin/sh\n")}},
        Hostile{"NewBinary", "BINARY", {Put("a.bin", std::string("a\0b", 3))}},
        Hostile{"ChangedBinary", "BINARY", {Put("logo.png", std::string("\x89PNG\0\2", 6))}},
        Hostile{"BinaryElsewhere",
                "BINARY",
                {Put("a.bin", std::string("a\0b", 3))},
                {.allow_binary = true, .binary_paths = {"img/**"}}},
        Hostile{"BinaryTooLarge",
                "BINARY",
                {Put("a.bin", std::string("a\0b", 3))},
                {.allow_binary = true, .binary_bytes_max = 2}},
        Hostile{"SecretInBinary",
                "SECRET",
                {Put("a.bin", absl::StrCat(std::string("a\0b\0", 4),
                                           Key("ghp_", "9aB3kLmN7qRsT2uVwX4yZ6cD8eF1gH5iJ0oP")))},
                {.allow_binary = true}},
        Hostile{"LinkToNothing",
                "SYMLINK_TARGET",
                {Put("other", "none", patch::kSymlink)},
                {.allow_symlinks = true}},
        Hostile{"GitSettingsAsLink",
                "PROTECTED",
                {Put(".gitignore", "run.sh", patch::kSymlink)},
                {.unprotected = {"**"}, .allow_symlinks = true}},
        Hostile{"ManyFilesInOneDirectory", "LIMITS", PutMany(201)},
        Hostile{"Elf", "BINARY_EXEC", {Put("a.bin", kElf)}, {.allow_binary = true}},
        Hostile{"Zip",
                "BINARY_EXEC",
                {Put("a.jar", std::string("PK\3\4\0\0", 6))},
                {.allow_binary = true}},
        Hostile{"Pyc",
                "BINARY_EXEC",
                {Put("a.pyc", std::string("\xA7\r\r\n\0\0", 6))},
                {.allow_binary = true}},
        Text("LfsPointer", "LFS",
             "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        Hostile{"ManyDeletions", "MASS_DELETE", DropMany(51)},
        Hostile{"LargeShareDeleted", "MASS_DELETE", DropMany(30)},
        Hostile{"Emptied", "MASS_DELETE", {Put("README.md", "")}},
        Hostile{"DeletedTest", "TEST_WEAKENING", {Drop("tests/test_main.py")}},
        Hostile{"TooManyFiles", "LIMITS", {Put("a", "x\n"), Put("b", "x\n")}, {.files_max = 1}},
        Hostile{"TooManyLines", "LIMITS", {Put("a", "x\ny\n")}, {.added_lines_max = 1}},
        Hostile{"TooManyBytes", "LIMITS", {Put("a", "x\n")}, {.bytes_max = 10}}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Contents, HostilePatch,
    ::testing::Values(
        Text("RightToLeftOverride", "BIDI", "if admin:\xE2\x80\xAE x\n"),
        Text("Isolate", "BIDI", "a \xE2\x81\xA6 b\n"),
        Text("ZeroWidthSpace", "INVISIBLE", "pass\xE2\x80\x8Bword\n"),
        Text("TagCharacter", "INVISIBLE", "a\xF3\xA0\x81\x81\n"),
        Text("LateByteOrderMark", "INVISIBLE", "one\na\xEF\xBB\xBF\n"),
        Text("VariationSelector", "INVISIBLE", "a\xEF\xB8\x8F\n"),
        Text("Escape", "CONTROL_CHAR", "\x1B[2J\n"), Text("LoneReturn", "CONTROL_CHAR", "a\rb\n"),
        Text("LineSeparator", "CONTROL_CHAR",
             "a\xE2\x80\xA8"
             "b\n"),
        Text("Latin1InNewFile", "UTF8", "caf\xE9\n"),
        Text("CyrillicInLatinWord", "HOMOGLYPH", "p\xD0\xB0ssword = 1\n"),
        Text("OpenMarker", "CONFLICT_MARKER", "<<<<<<< HEAD\n"),
        Text("CloseMarker", "CONFLICT_MARKER", ">>>>>>> theirs\n"),
        Hostile{
            "SkippedTest",
            "TEST_WEAKENING",
            {Put("tests/test_main.py", "@pytest.mark.skip\ndef test_main():\n    assert True\n")}},
        Hostile{"LineEnds",
                "CHURN",
                {Put("src/lines.txt", "one\r\ntwo\r\nthree\r\nfour\r\nfive\r\nsix\r\n")}},
        Hostile{"ChecksRemoved",
                "TEST_WEAKENING",
                {Put("tests/test_main.py", "def test_main():\n    print(1)\n")}},
        Hostile{"ThresholdLowered",
                "TEST_WEAKENING",
                {Put("cover.cfg", "[report]\nfail_under = 60\n")}},
        Hostile{"NewHostInLockFile",
                "SUPPLY_CHAIN",
                {Put("web/yarn.lock", "resolved \"https://evil.example/x.tgz\"\nintegrity a\n"),
                 Put("web/package.json", "{}\n")}},
        Hostile{"ChecksumDropped",
                "SUPPLY_CHAIN",
                {Put("web/yarn.lock", "resolved \"https://registry.example/x.tgz\"\n"),
                 Put("web/package.json", "{}\n")}},
        Hostile{"Reindented", "CHURN", {Put("src/long.txt", Long("    "))}},
        Secret("Percent", Key("u=ghp%5F", "9aB3kLmN7qRsT2uVwX4yZ6cD8eF1gH5iJ0oP\n")),
        Secret("Base64", Key("k: Z2hwXzlhQjNrTG1ON3FSc1Qy", "dVZ3WDR5WjZjRDhlRjFnSDVpSjBvUA==\n")),
        Secret("Hex", Key("k: 6768705f3961",
                          "42336b4c6d4e377152735432755677583479"
                          "5a36634438654631674835694a306f50\n")),
        Secret("SplitOverLines",
               Key("k = \"ghp_", "9aB3kLmN7qRsT2uVw\" +\n    \"X4yZ6cD8eF1gH5iJ0oP\"\n")),
        Secret("AllowComment",
               Key("ghp_", "9aB3kLmN7qRsT2uVwX4yZ6cD8eF1gH5iJ0oP # gitleaks:allow\n")),
        Hostile{"InstallScript",
                "EXEC_SURFACE",
                {Put("package.json", "{\"scripts\": {\n\"postinstall\": \"node x.js\"\n}}\n")}},
        Secret("PrivateKey", Key("-----BEGIN RSA PRIVATE", " KEY-----\n")),
        Secret("Aws", Key("id = AKIA", "Q3EGRIZ7PLM2VW5T\n")),
        Secret("GitHub", Key("ghp_", "9aB3kLmN7qRsT2uVwX4yZ6cD8eF1gH5iJ0oP\n")),
        Secret("GitLab", Key("glpat-", "x7Kq2mZ9vB4nW1cD8sRt\n")),
        Secret("Slack", Key("xoxb-", "249185736412-7a9Qk3LmZx\n")),
        Secret("Stripe", Key("sk_live_", "8fKq2mZ9vB4nW1cD8sRtYuIo\n")),
        Secret("Google", Key("AIza", "SyD9k2mZ7vB4nW1cQ8sRtYuIoPaLxHgFeWq\n")),
        Secret("Url", Key("postgres://app:", "k8Zq2mV9xB4@db.internal/x\n")),
        Secret("Generic", Key("api_key = \"", "Zk8q2mV9xB4nW1cD8sRtYuIo\"\n"))),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(PatchPolicyTest, SettingsOpenWhatTheyName) {
  EXPECT_THAT(Check({Put("other", "README.md", patch::kSymlink)}, {.allow_symlinks = true}),
              IsEmpty());
  EXPECT_THAT(Check({Put("run.sh", "#!/bin/sh\n")}, {.allow_mode_changes = true}), IsEmpty());
  EXPECT_THAT(Check({Put("a.bin", std::string("a\0b", 3))}, {.allow_binary = true}), IsEmpty());
  EXPECT_THAT(Check({Put(".github/workflows/ci.yml", "x\n")}, {.unprotected = {".github/**"}}),
              IsEmpty());
  EXPECT_THAT(Check({Put("go.mod", "x\n"), Put("go.sum", "x\n")}), IsEmpty());
}

TEST_F(PatchPolicyTest, TrustedContentTurnsOffContentRulesOnly) {
  const PathPolicy trusted{.trusted_content = true, .added_lines_max = 1};
  EXPECT_THAT(Check({Put("a.txt", "\x1B[2J\n<<<<<<< HEAD\n"), Put(".env", "x\n")}, trusted),
              IsEmpty());
  EXPECT_THAT(CodesOf(Check({Put(".gitattributes", "x\n"), Put("README.MD", "x\n")}, trusted)),
              UnorderedElementsAre("PROTECTED", "CASE_COLLISION"));
}

TEST_F(PatchPolicyTest, AllReasonsAreFoundRefusalsFirst) {
  const std::vector<Finding> findings =
      Check({Put(".github/workflows/ci.yml", "x\n"), Put(".gitmodules", "x\n"),
             Put("a.txt", "<<<<<<< HEAD\n")});
  EXPECT_THAT(CodesOf(findings), UnorderedElementsAre("CI", "PROTECTED", "CONFLICT_MARKER"));
  EXPECT_EQ(findings.back().code, "CI");
  EXPECT_FALSE(HumanMayAccept(findings));
}

TEST_F(PatchPolicyTest, RenameByLetterCaseIsNoCollision) {
  EXPECT_THAT(Check({Drop("README.md"), Put("Readme.md", "# Shop\n")}), IsEmpty());
}

TEST_F(PatchPolicyTest, ReportOfASecretDoesNotHoldIt) {
  const std::string secret = Key("ghp_", "9aB3kLmN7qRsT2uVwX4yZ6cD8eF1gH5iJ0oP");
  const std::vector<Finding> findings = Check({Put("a.txt", secret + "\n")});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].detail, Not(HasSubstr(secret.substr(8))));
}

TEST_F(PatchPolicyTest, PlaceholdersAreNoSecrets) {
  EXPECT_THAT(Check({Put("a.txt",
                         "password = \"changeme-changeme-1\"\ntoken = \"your_token_goes_here\"\n"
                         "secret = os.environ[\"SECRET\"]\npostgres://user:example@host/db\n")}),
              IsEmpty());
}

TEST(SecretRulesTest, EveryExpressionCompilesAndHasKeywords) {
  std::set<std::string> ids;
  for (const SecretRule& rule : SecretRules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    EXPECT_NE(rule.keywords[0], nullptr) << rule.id;
  }
  EXPECT_GE(ids.size(), 20u);
  EXPECT_TRUE(SecretExpressionsCompile());
}

TEST(RuleTableTest, EveryRuleIsCompleteAndInOrder) {
  absl::string_view before;
  for (const Rule& rule : Rules()) {
    EXPECT_LT(before, rule.code);
    before = rule.code;
    for (const absl::string_view text : {rule.meaning, rule.why, rule.remedy}) {
      EXPECT_FALSE(text.empty()) << rule.code;
      EXPECT_NE(text.substr(text.size() - 1), ".") << rule.code;
    }
  }
}

// The reasons in the sources of lib/patch, by the calls that make them.
TEST(RuleTableTest, EveryReasonOfReadingAndApplyingHasARule) {
  const RE2 call(
      R"re((?:Refused|Refuse|DoesNotFit|Fail|Stale)\(\s*(?:[^"();]*\?\s*)?"([A-Z][A-Z0-9_]+)")re");
  std::set<std::string> found;
  for (const auto& file : std::filesystem::directory_iterator(SLIPWAY_SOURCE_DIR "/lib/patch")) {
    if (file.path().extension() != ".cc") continue;
    const absl::StatusOr<std::string> source = base::ReadFile(file.path().string());
    ASSERT_OK(source);
    re2::StringPiece rest(*source);
    std::string code;
    while (RE2::FindAndConsume(&rest, call, &code)) found.insert(code);
  }
  EXPECT_GT(found.size(), 40u);
  for (const std::string& code : found) EXPECT_NE(FindRule(code), nullptr) << code;
}

TEST(RuleTableTest, TheDocumentShowsTheTable) {
  const absl::StatusOr<std::string> document =
      base::ReadFile(SLIPWAY_SOURCE_DIR "/docs/security.md");
  ASSERT_OK(document);
  EXPECT_THAT(*document, HasSubstr(RulesAsMarkdown())) << "put this into docs/security.md:\n"
                                                       << RulesAsMarkdown();
}

TEST(KeywordIndexTest, FindsEveryWordInOnePass) {
  const KeywordIndex index({{"he", 0}, {"she", 1}, {"his", 2}, {"hers", 3}, {"://", 4}});
  EXPECT_EQ(index.Find("uSHErs"), 0b1011u);
  EXPECT_EQ(index.Find("hihis"), 0b100u);
  EXPECT_EQ(index.Find("http://x"), 0b10000u);
  EXPECT_EQ(index.Find("none"), 0u);
  EXPECT_EQ(index.Find(""), 0u);
}

TEST(RuleTableTest, UnknownCodesRefuse) {
  EXPECT_EQ(FloorOf("PATH_TRAVERSAL"), Floor::kRefuse);
  EXPECT_EQ(FloorOf("CI"), Floor::kQuarantine);
  EXPECT_FALSE(HumanMayAccept({}));
}

}  // namespace
}  // namespace slipway::policy
