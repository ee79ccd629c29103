#pragma once

#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "services/ledger/domain/ledger.h"

namespace slipway::ledger::simulator {

struct ReleaseOrder {
  std::string key;
  Proof proof = Proof::kNotSent;
};
struct ExtendOrder {
  std::string key;
  absl::Duration lifetime;
};
struct DeleteOrder {
  std::string id;
};
struct ImportOrder {
  std::vector<Price> rows;
  std::vector<std::string> accept;
};
struct OwnerOrder {
  std::string owner;
  int64_t epoch_before = 0;
};
struct ExpireOrder {};  // Of the ledger's own timer.

// What can be asked of the ledger.
using Operation =
    std::variant<ReserveOrder, SettleOrder, ReleaseOrder, ExtendOrder, TopUpOrder, AdjustOrder,
                 BudgetOrder, DeleteOrder, FreezeOrder, ImportOrder, OwnerOrder, ExpireOrder>;

// One word for it, and all of it.
const char* NameOf(const Operation& operation);
std::string TextOf(const Operation& operation);

}  // namespace slipway::ledger::simulator
