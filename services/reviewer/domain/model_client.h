#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace slipway::reviewer {

struct ModelTurn {
  bool assistant = false;
  std::string text;
};

struct ModelRequest {
  std::string call_id;  // Unique; a repeat is answered from the record.
  std::string intent;
  std::string role;
  std::string project;
  std::string plan;
  std::string task;
  std::string attempt;
  std::string system;
  std::vector<ModelTurn> turns;  // The last is ours.
  std::string response_schema;
};

// Calls a model. Thread-safe.
class ModelClient {
 public:
  virtual ~ModelClient() = default;

  // The whole reply. Blocks; fails as the models service does.
  virtual absl::StatusOr<std::string> Generate(const ModelRequest& request) = 0;
};

}  // namespace slipway::reviewer
