#pragma once

#include <optional>

#include "absl/strings/string_view.h"

namespace slipway::gateway {

// What a caller may do; each of viewer to admin includes the ones before it.
enum class Role { kNone, kPublic, kViewer, kOperator, kReviewer, kAdmin, kService };

// Whether a caller that holds `held` may call what needs `required`. Nobody may call what needs
// kNone (undeclared) or kService.
bool Allows(Role held, Role required);

// Whether a token may have it: viewer to admin.
bool IsForTokens(Role role);

// "VIEWER" for kViewer.
absl::string_view RoleName(Role role);

// The reverse; absent for other text.
std::optional<Role> RoleFromName(absl::string_view name);

}  // namespace slipway::gateway
