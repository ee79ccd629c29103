#include "cli/rehearse/rehearsal_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace slipway::cli {
namespace {

using nlohmann::ordered_json;

double Seconds(absl::Duration time) {
  return std::round(absl::ToDoubleSeconds(time) * 1'000) / 1'000;
}

}  // namespace

size_t RehearsalReport::Count(Replay::Verdict verdict) const {
  return static_cast<size_t>(
      std::count_if(replays.begin(), replays.end(),
                    [&](const Replay& replay) { return replay.verdict == verdict; }));
}

bool RehearsalReport::Passed() const {
  return Count(Replay::Verdict::kExact) + Count(Replay::Verdict::kRefused) == commits.size();
}

std::string RehearsalReport::Json() const {
  ordered_json refused = ordered_json::array();
  ordered_json different = ordered_json::array();
  ordered_json waived = ordered_json::array();
  for (size_t i = 0; i < commits.size(); ++i) {
    const Replay& replay = replays[i];
    if (!replay.waiver.empty()) {
      waived.push_back({{"commit", commits[i].commit}, {"reason", replay.waiver}});
    }
    if (replay.verdict == Replay::Verdict::kRefused) {
      refused.push_back({{"commit", commits[i].commit}, {"reason", replay.reason}});
    } else if (replay.verdict != Replay::Verdict::kExact) {
      different.push_back({{"commit", commits[i].commit},
                           {"reason", replay.reason.empty() ? "NOT_REPLAYED" : replay.reason},
                           {"expected_tree", commits[i].tree},
                           {"tree", replay.tree}});
    }
  }
  ordered_json json = {{"commits", commits.size()},
                       {"exact", Count(Replay::Verdict::kExact)},
                       {"refused", std::move(refused)},
                       {"different", std::move(different)},
                       {"waived", std::move(waived)},
                       {"requested", requested},
                       {"plans", plans},
                       {"start_seconds", Seconds(start_took)},
                       {"seconds", Seconds(took)}};
  if (!data.empty()) json["data"] = data;
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace slipway::cli
