#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "services/reviewer/domain/diagnosis.h"
#include "services/reviewer/domain/model_client.h"
#include "services/reviewer/flow/workshop.h"

namespace slipway::reviewer {

// Lets a model of a longer reach say why a task fails. Blocks for as long as it takes; thread-safe.
class Diagnostician final {
 public:
  Diagnostician(const Workshop& workshop, ModelClient& models)
      : workshop_(workshop), models_(models) {}

  // The newest change of the task is looked up here, and secrets are taken out of everything. With
  // no role to ask, an empty diagnosis. Fails with NameInvalid, PlanUnknown, DiagnosisUnreadable,
  // and as models do.
  absl::StatusOr<Diagnosis> Diagnose(const std::string& checkpoint, FailedTask task);

 private:
  const Workshop& workshop_;
  ModelClient& models_;
};

}  // namespace slipway::reviewer
