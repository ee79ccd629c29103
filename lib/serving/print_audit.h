#pragma once

#include <google/protobuf/message.h>

#include <ostream>

#include "absl/status/status.h"

namespace slipway::serving {

// Prints what an audit found as JSON, with every field by its name in the contract. Fails with
// INTERNAL (AUDIT_UNPRINTABLE).
absl::Status PrintAudit(const google::protobuf::Message& audit, std::ostream& out);

}  // namespace slipway::serving
