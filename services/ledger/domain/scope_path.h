#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace slipway::ledger {

// The scope that covers everything.
inline constexpr char kOrganisation[] = "organisation";

// Where a call is charged. Full resource names, each empty when there is none; `role` is an id.
struct ScopePath {
  std::string project;
  std::string plan;
  std::string task;
  std::string attempt;
  std::string role;

  friend bool operator==(const ScopePath&, const ScopePath&) = default;
};

// `scopes` with the parents that its names imply. Fails with ScopeInvalid when a name is malformed,
// belongs to another parent, or there is no project.
absl::StatusOr<ScopePath> Completed(const ScopePath& scopes);

// Every scope that covers a completed path, widest first.
std::vector<std::string> CoveringScopes(const ScopePath& scopes);

// The path that the scope of a budget or a filter stands for: "organisation" (an empty path),
// a project, plan, task or attempt, or projects/{p}/roles/{r}. Fails with ScopeInvalid.
absl::StatusOr<ScopePath> ParseScope(absl::string_view scope);

// Whether a call at `scopes` is charged to a scope that was parsed into `scope`.
bool Covers(const ScopePath& scope, const ScopePath& scopes);

// How deep a scope is: 0 organisation, 1 project, 2 role or plan, 3 task, 4 attempt.
int DepthOf(const ScopePath& scope);

}  // namespace slipway::ledger
