#include "services/models/domain/route_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "services/models/domain/errors.h"

namespace slipway::models {

RouteTable::RouteTable(std::vector<Route> routes) : routes_(std::move(routes)) {
  std::stable_sort(routes_.begin(), routes_.end(),
                   [](const Route& a, const Route& b) { return a.role < b.role; });
  std::map<std::string, int> next;
  for (Route& route : routes_) route.position = next[route.role]++;
}

absl::StatusOr<std::vector<Route>> RouteTable::For(const std::string& role) const {
  if (!IsRole(role)) return RoleUnknown(role);
  std::vector<Route> own;
  std::vector<Route> general;
  for (const Route& route : routes_) {
    if (route.role == role) own.push_back(route);
    if (route.role == "*") general.push_back(route);
  }
  if (!own.empty()) return own;
  if (!general.empty()) return general;
  return RouteMissing(role);
}

bool IsRole(absl::string_view role) {
  return !role.empty() && role.size() <= 63 && std::all_of(role.begin(), role.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_' || c == '-';
  });
}

}  // namespace slipway::models
