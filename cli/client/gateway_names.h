#pragma once

#include <string>
#include <vector>

#include "cli/client/connection.h"
#include "cli/client/name_resolver.h"

namespace slipway::cli {

// The names that a running suite has.
class GatewayNames final : public NameSource {
 public:
  explicit GatewayNames(Connection& connection) : connection_(connection) {}

  absl::StatusOr<std::vector<std::string>> Projects() override;
  absl::StatusOr<std::vector<std::string>> Plans(const std::string& project) override;
  absl::StatusOr<std::vector<std::string>> Tasks(const std::string& plan) override;
  absl::StatusOr<std::vector<std::string>> Attempts(const std::string& task) override;
  absl::StatusOr<std::vector<std::string>> OpenCheckpoints() override;

 private:
  Connection& connection_;
};

}  // namespace slipway::cli
