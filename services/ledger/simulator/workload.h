#pragma once

#include <string>
#include <vector>

#include "lib/faultdisk/random.h"
#include "services/ledger/simulator/model.h"
#include "services/ledger/simulator/operation.h"

namespace slipway::ledger::simulator {

// What clients and people ask, drawn from a seed: mostly sensible, on few scopes and small limits,
// so that they get into each other's way.
class Workload final {
 public:
  explicit Workload(faultdisk::Random& random) : random_(random) {}

  // The next request, about what `model` knows.
  Operation Next(const Model& model, absl::Time now);

  // How far the clocks move until the next step.
  absl::Duration Pause(absl::Time now);

  static absl::Time Start(faultdisk::Random& random);

 private:
  ScopePath AnyScopes();
  std::string AnyBudgetScope();
  int64_t AnyAmount();
  Amounts AnyAmounts();
  TokenCounts AnyTokens();
  absl::Duration AnyLifetime();
  std::string AnyOwner();
  // A key of a reservation in this state, else any, else an unknown one.
  std::string KeyIn(const Model& model, ReservationState state);
  std::string AnyKey(const Model& model);

  Operation NewReserve(const Model& model);
  Operation NewSettle(const Model& model);
  Operation NewAdjust(const Model& model);
  Operation NewTopUp(const Model& model);
  Operation NewBudget(const Model& model);
  Operation NewImport(absl::Time now);
  std::string NewKey(const char* prefix);

  template <typename T>
  const T& OneOf(const std::vector<T>& choices) {
    return choices[random_.Below(choices.size())];
  }

  faultdisk::Random& random_;
  int64_t next_key_ = 1;
};

}  // namespace slipway::ledger::simulator
