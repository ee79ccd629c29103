#pragma once

#include <string>

namespace slipway::policy {

// One reason why a patch was refused, or would have been.
struct Finding {
  std::string code;  // Of a rule in rule_table.h.
  std::string path;  // Empty when it is about the whole patch.
  std::string detail;
  friend bool operator==(const Finding&, const Finding&) = default;
};

}  // namespace slipway::policy
