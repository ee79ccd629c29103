#include "services/ledger/domain/scope_path.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/errors.h"

namespace slipway::ledger {
namespace {

constexpr size_t kRoleBytesMax = 63;

bool IsRole(absl::string_view role) {
  return !role.empty() && role.size() <= kRoleBytesMax &&
         std::all_of(role.begin(), role.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

// The path of a project, plan, task or attempt.
absl::StatusOr<ScopePath> ParseName(absl::string_view name) {
  static constexpr absl::string_view kCollections[] = {"projects", "plans", "tasks", "attempts"};
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  if (parts.size() % 2 != 0 || parts.size() > 8) {
    return ScopeInvalid(name, "it is no project, plan, task or attempt");
  }
  ScopePath path;
  std::string* const names[] = {&path.project, &path.plan, &path.task, &path.attempt};
  std::string prefix;
  for (size_t i = 0; i < parts.size(); i += 2) {
    if (parts[i] != kCollections[i / 2]) {
      return ScopeInvalid(name, absl::StrCat("expected '", kCollections[i / 2], "'"));
    }
    if (!base::IsValidId(parts[i + 1])) return ScopeInvalid(name, "an id in it is not valid");
    absl::StrAppend(&prefix, prefix.empty() ? "" : "/", parts[i], "/", parts[i + 1]);
    *names[i / 2] = prefix;
  }
  return path;
}

bool Agrees(const std::string& given, const std::string& implied) {
  return given.empty() || given == implied;
}

}  // namespace

absl::StatusOr<ScopePath> Completed(const ScopePath& scopes) {
  const std::string& deepest = !scopes.attempt.empty() ? scopes.attempt
                               : !scopes.task.empty()  ? scopes.task
                               : !scopes.plan.empty()  ? scopes.plan
                                                       : scopes.project;
  if (deepest.empty()) return ScopeInvalid("", "it needs a project");
  ASSIGN_OR_RETURN(ScopePath path, ParseName(deepest));
  if (!Agrees(scopes.project, path.project) || !Agrees(scopes.plan, path.plan) ||
      !Agrees(scopes.task, path.task) || !Agrees(scopes.attempt, path.attempt)) {
    return ScopeInvalid(deepest, "it is not below the other scopes that are given");
  }
  if (!scopes.role.empty() && !IsRole(scopes.role)) {
    return ScopeInvalid(scopes.role, "a role is 1 to 63 of a-z, 0-9, '-' and '_'");
  }
  path.role = scopes.role;
  return path;
}

std::vector<std::string> CoveringScopes(const ScopePath& scopes) {
  std::vector<std::string> covering = {kOrganisation, scopes.project};
  if (!scopes.role.empty()) {
    covering.push_back(absl::StrCat(scopes.project, "/roles/", scopes.role));
  }
  for (const std::string* name : {&scopes.plan, &scopes.task, &scopes.attempt}) {
    if (!name->empty()) covering.push_back(*name);
  }
  return covering;
}

absl::StatusOr<ScopePath> ParseScope(absl::string_view scope) {
  if (scope == kOrganisation) return ScopePath();
  const std::vector<std::string> parts = absl::StrSplit(scope, '/');
  if (parts.size() == 4 && parts[2] == "roles") {
    return Completed({.project = absl::StrCat(parts[0], "/", parts[1]), .role = parts[3]});
  }
  if (scope.empty()) return ScopeInvalid(scope, "it is empty; the widest is 'organisation'");
  return ParseName(scope);
}

bool Covers(const ScopePath& scope, const ScopePath& scopes) {
  return Agrees(scope.project, scopes.project) && Agrees(scope.plan, scopes.plan) &&
         Agrees(scope.task, scopes.task) && Agrees(scope.attempt, scopes.attempt) &&
         Agrees(scope.role, scopes.role);
}

int DepthOf(const ScopePath& scope) {
  if (!scope.attempt.empty()) return 4;
  if (!scope.task.empty()) return 3;
  if (!scope.plan.empty() || !scope.role.empty()) return 2;
  return scope.project.empty() ? 0 : 1;
}

}  // namespace slipway::ledger
