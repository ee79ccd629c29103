#include "services/gateway/rpc/merged_logs.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/events/convert.h"
#include "lib/events/errors.h"

namespace slipway::gateway {

MergedLogs::MergedLogs(const Gatekeeper::Channels& channels, base::Clock& clock) : clock_(clock) {
  for (const auto& [log, channel] : channels) {
    names_.insert(log);
    stubs_[log] = events::v1::EventLogService::NewStub(channel);
  }
}

absl::StatusOr<std::set<std::string>> MergedLogs::Selected(
    const events::v1::EventFilter& filter) const {
  RETURN_IF_ERROR(events::FilterFromProto("", filter).status());
  if (filter.logs().empty()) return names_;
  std::set<std::string> selected;
  for (const std::string& log : filter.logs()) {
    if (!names_.contains(log)) {
      return events::FilterInvalid(absl::StrCat("there is no log '", log.substr(0, 40),
                                                "'; there are ", absl::StrJoin(names_, ", ")));
    }
    selected.insert(log);
  }
  return selected;
}

void MergedLogs::EndStreams() {
  stopping_ = true;
  stops_.WakeAll();
}

absl::Status OfLog(const absl::Status& status, const std::string& log) {
  base::ErrorDetail detail = base::DetailOf(status).value_or(base::ErrorDetail());
  detail.metadata["log"] = log;
  return base::WithDetail(base::Annotate(status, absl::StrCat("the log of ", log)), detail);
}

}  // namespace slipway::gateway
