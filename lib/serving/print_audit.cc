#include "lib/serving/print_audit.h"

#include <google/protobuf/util/json_util.h>

#include <string>

#include "lib/base/error.h"

namespace slipway::serving {

absl::Status PrintAudit(const google::protobuf::Message& audit, std::ostream& out) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(audit, &json, options).ok()) {
    return base::Error(absl::StatusCode::kInternal, "AUDIT_UNPRINTABLE",
                       "a breach is not UTF-8 text");
  }
  out << json << "\n";
  return absl::OkStatus();
}

}  // namespace slipway::serving
