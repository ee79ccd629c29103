#include "cli/output/amendment_text.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/output/display_width.h"
#include "cli/output/quantity_text.h"
#include "lib/rpc/proto_time.h"

namespace slipway::cli {

std::string AmendmentStanding(const planner::v1::Plan& plan) {
  if (!plan.has_amendment()) return "";
  const planner::v1::Amendment& amendment = plan.amendment();
  const std::string version = absl::StrCat("version ", amendment.version());
  switch (amendment.state()) {
    case planner::v1::Amendment::STATE_APPROVED:
      return absl::StrCat(version, " is approved and being handed over");
    case planner::v1::Amendment::STATE_REFUSED:
      return absl::StrCat(version, " was refused and needs another edit");
    default:
      return absl::StrCat(version, " waits for approval");
  }
}

std::vector<std::string> AmendmentLines(const planner::v1::Amendment& amendment) {
  std::vector<std::string> lines;
  for (const std::string& change : amendment.changes()) lines.push_back(OneLine(change));
  const int64_t money = amendment.estimate_change_usd_nanos();
  const absl::Duration time = rpc::FromProto(amendment.estimate_change_duration());
  const std::string more_money = money == 0 ? "no other cost at most"
                                            : absl::StrCat("at most ", MoneyText(std::abs(money)),
                                                           money > 0 ? " more" : " less");
  const std::string more_time =
      time == absl::ZeroDuration()
          ? "as long"
          : absl::StrCat("about ", DurationText(absl::AbsDuration(time)),
                         time > absl::ZeroDuration() ? " longer" : " shorter");
  lines.push_back(absl::StrCat(more_money, ", ", more_time));
  return lines;
}

}  // namespace slipway::cli
