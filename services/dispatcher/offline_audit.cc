#include "services/dispatcher/offline_audit.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "services/dispatcher/rpc/convert.h"
#include "services/dispatcher/storage/audit_file.h"

namespace slipway::dispatcher {

absl::StatusOr<bool> PrintAudit(const std::string& path, std::ostream& out) {
  ASSIGN_OR_RETURN(const AuditResult result, AuditFile(path));
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(AuditToProto(result), &json, options).ok()) {
    return base::Error(absl::StatusCode::kInternal, "AUDIT_UNPRINTABLE",
                       "a breach is not UTF-8 text");
  }
  out << json << "\n";
  return std::all_of(result.checks.begin(), result.checks.end(),
                     [](const AuditCheck& check) { return check.breaches.empty(); });
}

}  // namespace slipway::dispatcher
