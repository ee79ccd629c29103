#include "lib/policy/protected_paths.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "lib/policy/glob.h"

namespace slipway::policy {
namespace {

struct Protection {
  const char* pattern;  // In lower case.
  const char* code;
};

// The first match counts.
constexpr Protection kProtections[] = {
    // Also the names that NTFS and HFS+ resolve to them.
    {"**/.gitmodules*", "PROTECTED"},
    {"**/.gitattributes*", "PROTECTED"},
    {"**/gitmod~*", "PROTECTED"},
    {"**/gitatt~*", "PROTECTED"},
    {"**/gi7eba~*", "PROTECTED"},
    {"**/gi7d29~*", "PROTECTED"},
    {"**/.git/**", "PROTECTED"},
    {"**/codeowners", "PROTECTED"},
    {".slipway/**", "PROTECTED"},
    {"slipway.yaml", "PROTECTED"},
    {"**/.gitignore", "GIT_SETTINGS"},
    {"**/.mailmap", "GIT_SETTINGS"},
    {"**/.lfsconfig", "GIT_SETTINGS"},
    {".github/workflows/**", "CI"},
    {".github/actions/**", "CI"},
    {".github/dependabot.y*ml", "CI"},
    {".gitlab-ci.y*ml", "CI"},
    {".gitlab/**", "CI"},
    {".gitea/workflows/**", "CI"},
    {".forgejo/workflows/**", "CI"},
    {".circleci/**", "CI"},
    {".ci/**", "CI"},
    {"**/jenkinsfile*", "CI"},
    {"azure-pipelines*.y*ml", "CI"},
    {".azure-pipelines/**", "CI"},
    {".buildkite/**", "CI"},
    {"bitbucket-pipelines.yml", "CI"},
    {".travis.yml", "CI"},
    {"appveyor.yml", "CI"},
    {".drone.y*ml", "CI"},
    {".woodpecker*", "CI"},
    {".woodpecker/**", "CI"},
    {".teamcity/**", "CI"},
    {"cloudbuild.y*ml", "CI"},
    {".husky/**", "HOOKS"},
    {".githooks/**", "HOOKS"},
    {"**/.git-hooks/**", "HOOKS"},
    {"lefthook*.y*ml", "HOOKS"},
    {".lefthook*", "HOOKS"},
    {".pre-commit-config.y*ml", "HOOKS"},
    {".pre-commit-hooks.y*ml", "HOOKS"},
    {"**/claude.md", "AGENT_CONFIG"},
    {"**/claude.local.md", "AGENT_CONFIG"},
    {"**/agents.md", "AGENT_CONFIG"},
    {"**/gemini.md", "AGENT_CONFIG"},
    {"**/.claude/**", "AGENT_CONFIG"},
    {"**/.cursor/**", "AGENT_CONFIG"},
    {"**/.cursorrules", "AGENT_CONFIG"},
    {"**/.windsurfrules", "AGENT_CONFIG"},
    {"**/.codex/**", "AGENT_CONFIG"},
    {"**/.gemini/**", "AGENT_CONFIG"},
    {"**/.aider*", "AGENT_CONFIG"},
    {"**/.mcp.json", "AGENT_CONFIG"},
    {".github/copilot-instructions.md", "AGENT_CONFIG"},
    {".github/instructions/**", "AGENT_CONFIG"},
    {"**/.vscode/**", "AGENT_CONFIG"},
    {"**/.idea/**", "AGENT_CONFIG"},
    {"**/.devcontainer/**", "AGENT_CONFIG"},
    {"**/.devcontainer.json", "AGENT_CONFIG"},
    {"**/.envrc", "EXEC_SURFACE"},
    {"**/.npmrc", "EXEC_SURFACE"},
    {"**/.yarnrc*", "EXEC_SURFACE"},
    {"**/.pnpmfile.cjs", "EXEC_SURFACE"},
    {"**/pip.conf", "EXEC_SURFACE"},
    {"**/.cargo/config", "EXEC_SURFACE"},
    {"**/.cargo/config.toml", "EXEC_SURFACE"},
    {"**/sitecustomize.py", "EXEC_SURFACE"},
    {"**/usercustomize.py", "EXEC_SURFACE"},
    {"**/*.pth", "EXEC_SURFACE"},
    {"**/setup.py", "EXEC_SURFACE"},
    {"**/conftest.py", "EXEC_SURFACE"},
    {"**/build.rs", "EXEC_SURFACE"},
};

constexpr const char* kSecretFiles[] = {
    "**/.env",
    "**/.env.local",
    "**/.env.production",
    "**/.env.*.local",
    "**/*.pem",
    "**/*.key",
    "**/*.p12",
    "**/*.pfx",
    "**/*.jks",
    "**/*.keystore",
    "**/*.kdbx",
    "**/id_rsa*",
    "**/id_dsa*",
    "**/id_ecdsa*",
    "**/id_ed25519*",
    "**/credentials.json",
    "**/kubeconfig",
    "**/.kube/config",
    "**/.netrc",
    "**/.pgpass",
    "**/.aws/credentials",
    "**/.git-credentials",
    "**/.htpasswd",
    "**/.pypirc",
    "**/.docker/config.json",
    "**/service-account*.json",
    "**/terraform.tfstate",
};

constexpr const char* kTestFiles[] = {
    "**/test_*.py", "**/*_test.py",    "**/*_test.go",  "**/*_test.cc",   "**/*_test.cpp",
    "**/*.test.*",  "**/*.spec.*",     "**/*test.java", "**/*tests.java", "**/*_spec.rb",
    "**/tests/**",  "**/__tests__/**", "**/spec/**",    "test/**",        "**/src/test/**",
};

constexpr std::pair<const char*, const char*> kLockFiles[] = {
    {"package-lock.json", "package.json"}, {"npm-shrinkwrap.json", "package.json"},
    {"yarn.lock", "package.json"},         {"pnpm-lock.yaml", "package.json"},
    {"cargo.lock", "Cargo.toml"},          {"go.sum", "go.mod"},
    {"poetry.lock", "pyproject.toml"},     {"uv.lock", "pyproject.toml"},
    {"pdm.lock", "pyproject.toml"},        {"pipfile.lock", "Pipfile"},
    {"composer.lock", "composer.json"},    {"gemfile.lock", "Gemfile"},
};

constexpr const char* kHookNames[] = {
    "applypatch-msg", "pre-applypatch", "post-applypatch",   "pre-commit", "pre-merge-commit",
    "post-commit",    "pre-rebase",     "post-checkout",     "post-merge", "prepare-commit-msg",
    "commit-msg",     "pre-push",       "pre-receive",       "update",     "post-receive",
    "post-update",    "post-rewrite",   "fsmonitor-watchman"};

absl::string_view LastComponent(absl::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0.
}

// What HFS+ ignores in a name.
std::string WithoutIgnorables(absl::string_view path) {
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    const absl::string_view three = path.substr(i, 3);
    const bool ignorable = three >= "\xE2\x80\x8C" && three <= "\xE2\x80\x8F" && three.size() == 3;
    if (ignorable || three == "\xEF\xBB\xBF") {
      i += 2;
    } else {
      out.push_back(absl::ascii_tolower(path[i]));
    }
  }
  return out;
}

}  // namespace

absl::string_view ProtectionOf(absl::string_view path) {
  const std::string folded = WithoutIgnorables(path);
  for (const Protection& protection : kProtections) {
    if (GlobMatches(protection.pattern, folded)) return protection.code;
  }
  return "";
}

bool IsSecretFile(absl::string_view path) {
  const std::string folded = absl::AsciiStrToLower(path);
  if (absl::EndsWith(folded, ".pub")) return false;  // Public keys.
  for (const char* const pattern : kSecretFiles) {
    if (GlobMatches(pattern, folded)) return true;
  }
  return false;
}

bool IsTestFile(absl::string_view path) {
  const std::string folded = absl::AsciiStrToLower(path);
  for (const char* const pattern : kTestFiles) {
    if (GlobMatches(pattern, folded)) return true;
  }
  return false;
}

absl::string_view ManifestOf(absl::string_view path) {
  const std::string name = absl::AsciiStrToLower(LastComponent(path));
  for (const auto& [lock, manifest] : kLockFiles) {
    if (name == lock) return manifest;
  }
  return "";
}

bool IsHookName(absl::string_view path) {
  const absl::string_view name = LastComponent(path);
  for (const char* const hook : kHookNames) {
    if (name == hook) return true;
  }
  return false;
}

}  // namespace slipway::policy
