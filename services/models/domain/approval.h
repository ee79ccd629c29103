#pragma once

#include <string>

#include "absl/time/time.h"

namespace slipway::models {

// A person's leave to use routes that need it.
struct Approval {
  std::string id;     // The request's: a repeat changes nothing.
  std::string scope;  // A project, plan or task.
  std::string role;
  int calls = 0;  // How many may still be made.
  absl::Time expire_time;
  std::string principal;  // Who gave it.
};

}  // namespace slipway::models
