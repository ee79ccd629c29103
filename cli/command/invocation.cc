#include "cli/command/invocation.h"

#include <utility>

#include "lib/base/status_macros.h"

namespace slipway::cli {

absl::Status Invocation::Connect() {
  if (connection_ != nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(Target target, FindTarget(options_.target));
  ASSIGN_OR_RETURN(connection_, Connection::Open(std::move(target)));
  source_.emplace(*connection_);
  names_.emplace(*source_, options_.project);
  return absl::OkStatus();
}

}  // namespace slipway::cli
