#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

#include "agent/domain/limits.h"

namespace slipway::agent {

// Names one grant: an attempt and the epoch that fences it.
struct GrantKey {
  std::string attempt;
  int64_t epoch = 0;
  friend bool operator==(const GrantKey&, const GrantKey&) = default;
};

struct Validator {
  std::string name;
  std::vector<std::string> command;
  absl::Duration run_timeout;
  std::string directory;  // In the tree; empty: its root.
};

// Write a change.
struct WriteOrder {
  std::string title;
  std::string description;
  std::vector<std::string> acceptance;
  std::vector<std::string> allowed_paths;
  std::vector<std::string> context_paths;
  std::vector<std::string> feedback;  // Oldest first.
  std::string guidance;
  std::string backend;
  std::string role;
  std::string model_key;  // Never in a file or a log.
  std::string model_proxy;
  // Run on the change before it is handed in, in this order; none: it is handed in at once.
  std::vector<Validator> validators;
  int repair_rounds_max = kRepairRoundsDefault;
  std::string intent;
};

// Run validators on the snapshot.
struct CheckOrder {
  std::vector<Validator> validators;
  std::string validator_digest;
  std::string tree;
  std::string phase = "validate";       // Of the progress notes.
  std::vector<std::string> secrets;     // Never shown of what they print.
  size_t log_bytes_max = kLogBytesMax;  // Of each validator's output.
};

struct Grant {
  GrantKey key;
  absl::Duration attempt_timeout;
  std::string commit;  // 40 hexadecimal digits.
  std::variant<WriteOrder, CheckOrder> work;
};

}  // namespace slipway::agent
