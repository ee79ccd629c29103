#pragma once

#include "absl/strings/string_view.h"

namespace slipway::policy {

// The code of the rule that protects `path` by its name: PROTECTED, GIT_SETTINGS, CI, HOOKS,
// AGENT_CONFIG or EXEC_SURFACE; empty when none does. Letter case does not matter, since some file
// systems ignore it.
//
// Ordinary sources that a build or a test run executes (setup.py, conftest.py, build.rs) are not
// listed: validators run them in a sandbox, like every other source.
absl::string_view ProtectionOf(absl::string_view path);

// Whether `path` is the kind of file that holds credentials: ".env", "id_rsa", "*.pem".
bool IsSecretFile(absl::string_view path);

// Whether `path` is a test by the conventions of common languages.
bool IsTestFile(absl::string_view path);

// The manifest that belongs beside the lock file at `path`; empty when it is none.
absl::string_view ManifestOf(absl::string_view path);

// Whether `path` bears the name of a git hook, which is one once it is executable.
bool IsHookName(absl::string_view path);

}  // namespace slipway::policy
