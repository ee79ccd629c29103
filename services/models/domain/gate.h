#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace slipway::models {

// A provider or one of its models that is not asked, because of what it said.
struct Gate {
  std::string name;                 // providers/{p}, or providers/{p}/models/{m}.
  std::string cause;                // "WAIT", "MONEY" or "CONFIG".
  std::optional<absl::Time> until;  // Absent: only a person can open it.
  std::string detail;

  friend bool operator==(const Gate&, const Gate&) = default;
};

}  // namespace slipway::models
