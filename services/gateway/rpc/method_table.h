#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "services/gateway/domain/role.h"

namespace slipway::gateway {

// The service of the suite that answers methods of the gateway itself.
inline constexpr char kOwnBackend[] = "gateway";

// One method of the suite's contracts.
struct Method {
  std::string name;  // "slipway.planner.v1.PlannerService/GetPlan"
  Role required_role = Role::kNone;
  std::string backend;  // "planner"; empty: never passed on.
  const google::protobuf::MethodDescriptor* descriptor = nullptr;

  bool streams() const { return descriptor->client_streaming() || descriptor->server_streaming(); }
  bool for_services_only() const {
    return backend.empty() || (!IsForTokens(required_role) && required_role != Role::kPublic);
  }
};

// Every method of every service, read from the descriptors of the contracts. Immutable.
class MethodTable final {
 public:
  MethodTable();

  // `path` is as on the wire: "/slipway.planner.v1.PlannerService/GetPlan". Null when there is
  // none.
  const Method* Find(absl::string_view path) const;

  // Full names of the services that people may use.
  const std::vector<std::string>& public_services() const { return public_services_; }

  // In no order.
  std::vector<const Method*> methods() const;

 private:
  void Add(const google::protobuf::ServiceDescriptor& service, const std::string& backend);

  absl::flat_hash_map<std::string, Method> by_path_;
  std::vector<std::string> public_services_;
};

}  // namespace slipway::gateway
