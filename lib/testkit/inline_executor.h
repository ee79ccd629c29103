#pragma once

#include <utility>

#include "lib/base/executor.h"

namespace slipway::testkit {

// Runs each job before TryRun returns.
class InlineExecutor final : public base::Executor {
 public:
  absl::Status TryRun(absl::AnyInvocable<void()> job) override {
    std::move(job)();
    return absl::OkStatus();
  }
};

}  // namespace slipway::testkit
