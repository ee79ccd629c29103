#include "services/gateway/rpc/method_table.h"

#include "absl/strings/str_cat.h"
#include "slipway/agent/v1/agent_service.pb.h"
#include "slipway/common/v1/access.pb.h"
#include "slipway/dispatcher/v1/dispatcher_service.pb.h"
#include "slipway/events/v1/event_log.pb.h"
#include "slipway/gateway/v1/gateway_service.pb.h"
#include "slipway/ledger/v1/ledger_service.pb.h"
#include "slipway/models/v1/models_service.pb.h"
#include "slipway/planner/v1/planner_service.pb.h"
#include "slipway/repository/v1/repository_service.pb.h"
#include "slipway/reviewer/v1/reviewer_service.pb.h"

namespace slipway::gateway {
namespace {

Role RequiredRole(const google::protobuf::MethodDescriptor& method) {
  switch (method.options().GetExtension(common::v1::required_role)) {
    case common::v1::ROLE_PUBLIC:
      return Role::kPublic;
    case common::v1::ROLE_VIEWER:
      return Role::kViewer;
    case common::v1::ROLE_OPERATOR:
      return Role::kOperator;
    case common::v1::ROLE_REVIEWER:
      return Role::kReviewer;
    case common::v1::ROLE_ADMIN:
      return Role::kAdmin;
    case common::v1::ROLE_SERVICE:
      return Role::kService;
    default:
      return Role::kNone;
  }
}

// The service whose first message is `Message`; naming a message also links its file in.
template <typename Message>
const google::protobuf::ServiceDescriptor& ServiceBeside() {
  return *Message::descriptor()->file()->service(0);
}

}  // namespace

MethodTable::MethodTable() {
  Add(ServiceBeside<planner::v1::GetPlanRequest>(), "planner");
  Add(ServiceBeside<dispatcher::v1::GetRunRequest>(), "dispatcher");
  Add(ServiceBeside<reviewer::v1::GetReviewRequest>(), "reviewer");
  Add(ServiceBeside<repository::v1::GetDiffRequest>(), "reviewer");
  Add(ServiceBeside<ledger::v1::ListBalancesRequest>(), "ledger");
  Add(ServiceBeside<models::v1::ListCallsRequest>(), "models");
  Add(ServiceBeside<events::v1::WatchRequest>(), kOwnBackend);
  Add(ServiceBeside<v1::GetCallerRequest>(), kOwnBackend);
  Add(ServiceBeside<agent::v1::SubmitResultRequest>(), "");
}

const Method* MethodTable::Find(absl::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : &found->second;
}

std::vector<const Method*> MethodTable::methods() const {
  std::vector<const Method*> methods;
  methods.reserve(by_path_.size());
  for (const auto& [path, method] : by_path_) methods.push_back(&method);
  return methods;
}

void MethodTable::Add(const google::protobuf::ServiceDescriptor& service,
                      const std::string& backend) {
  for (int index = 0; index < service.method_count(); ++index) {
    const google::protobuf::MethodDescriptor& method = *service.method(index);
    std::string name = absl::StrCat(service.full_name(), "/", method.name());
    std::string path = absl::StrCat("/", name);
    by_path_.emplace(std::move(path), Method{.name = std::move(name),
                                             .required_role = RequiredRole(method),
                                             .backend = backend,
                                             .descriptor = &method});
  }
  if (!backend.empty()) public_services_.push_back(service.full_name());
}

}  // namespace slipway::gateway
