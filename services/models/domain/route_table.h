#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/models/domain/route.h"

namespace slipway::models {

// Which routes serve which role. Immutable.
class RouteTable final {
 public:
  // Sets the positions: routes of one role keep their order.
  explicit RouteTable(std::vector<Route> routes);

  // The routes of `role`, best first: its own, else those of "*". Fails with RoleUnknown when it
  // is no role's name, or RouteMissing.
  absl::StatusOr<std::vector<Route>> For(const std::string& role) const;

  // By role and position.
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

// Whether `role` can be a role's name: 1 to 63 of [a-z0-9_-].
bool IsRole(absl::string_view role);

}  // namespace slipway::models
