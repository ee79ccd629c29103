#include "services/gateway/domain/role.h"

#include <iterator>

namespace slipway::gateway {
namespace {

constexpr absl::string_view kNames[] = {"NONE",     "PUBLIC", "VIEWER", "OPERATOR",
                                        "REVIEWER", "ADMIN",  "SERVICE"};

}  // namespace

bool Allows(Role held, Role required) {
  if (required == Role::kPublic) return true;
  if (!IsForTokens(required) || !IsForTokens(held)) return false;
  return static_cast<int>(held) >= static_cast<int>(required);
}

bool IsForTokens(Role role) {
  return static_cast<int>(role) >= static_cast<int>(Role::kViewer) &&
         static_cast<int>(role) <= static_cast<int>(Role::kAdmin);
}

absl::string_view RoleName(Role role) { return kNames[static_cast<int>(role)]; }

std::optional<Role> RoleFromName(absl::string_view name) {
  for (int value = 0; value < static_cast<int>(std::size(kNames)); ++value) {
    if (kNames[value] == name) return static_cast<Role>(value);
  }
  return std::nullopt;
}

}  // namespace slipway::gateway
