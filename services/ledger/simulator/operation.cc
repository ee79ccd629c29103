#include "services/ledger/simulator/operation.h"

#include "absl/strings/str_cat.h"
#include "services/ledger/simulator/answer.h"
#include "services/ledger/simulator/model_checks.h"

namespace slipway::ledger::simulator {
namespace {

struct Teller {
  std::string operator()(const ReserveOrder& order) const { return TextOf(order); }
  std::string operator()(const SettleOrder& order) const {
    return absl::StrCat(order.key, " as ", RequestText(order));
  }
  std::string operator()(const ReleaseOrder& order) const { return order.key; }
  std::string operator()(const ExtendOrder& order) const {
    return absl::StrCat(order.key, " by ", absl::FormatDuration(order.lifetime));
  }
  std::string operator()(const TopUpOrder& order) const {
    return absl::StrCat(order.key, " ", RequestText(order));
  }
  std::string operator()(const AdjustOrder& order) const {
    return absl::StrCat(order.key, " ", order.reservation, " by ", order.delta_usd_nanos);
  }
  std::string operator()(const BudgetOrder& order) const {
    return absl::StrCat(order.request_id, " ", RequestText(order));
  }
  std::string operator()(const DeleteOrder& order) const { return order.id; }
  std::string operator()(const FreezeOrder& order) const {
    return absl::StrCat(order.scope, order.frozen ? " frozen" : " not frozen");
  }
  std::string operator()(const ImportOrder& order) const {
    std::string text = absl::StrCat(order.accept.size(), " accepted:");
    for (const Price& row : order.rows) {
      absl::StrAppend(&text, " ", row.provider, "/", row.model, "/", row.service_tier, "@",
                      absl::ToUnixSeconds(row.effective_time));
      absl::StrAppend(&text, "+", row.context_threshold_tokens, "=", row.input_pico_usd);
    }
    return text;
  }
  std::string operator()(const OwnerOrder& order) const {
    return absl::StrCat(order.owner, " before ", order.epoch_before);
  }
  std::string operator()(const ExpireOrder&) const { return ""; }
};

}  // namespace

const char* NameOf(const Operation& operation) {
  static constexpr const char* kNames[] = {
      "reserve",    "settle",        "release",      "extend",        "top_up",      "adjust",
      "set_budget", "delete_budget", "freeze_scope", "import_prices", "close_owner", "expire"};
  return kNames[operation.index()];
}

std::string TextOf(const Operation& operation) {
  return absl::StrCat(NameOf(operation), " ", std::visit(Teller(), operation));
}

}  // namespace slipway::ledger::simulator
