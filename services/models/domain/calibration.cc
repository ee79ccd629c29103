#include "services/models/domain/calibration.h"

#include <algorithm>
#include <array>
#include <limits>

#include "absl/strings/string_view.h"
#include "lib/metrics/metrics.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

metrics::Counter bounded_tokens(
    {.name = "slipway_models_input_bound_tokens_total",
     .description = "Input tokens that calls were bounded by, where their provider counted them.",
     .labels = {"provider", "model", "content"}});
metrics::Counter counted_tokens(
    {.name = "slipway_models_input_counted_tokens_total",
     .description = "Input tokens that providers counted of the calls that were bounded.",
     .labels = {"provider", "model", "content"}});

// Enough to tell what a prompt is, and little against the time that a call takes.
constexpr size_t kLookedAt = 16u << 10;

// Shares of the bytes that were looked at.
constexpr double kOtherScriptsShare = 0.3;
constexpr double kCodeShare = 0.05;

// What prose has few of and code has many of, without what frames the parts of a request. A table,
// because every call's prompt is looked at.
constexpr std::array<bool, 256> CodeMarks() {
  std::array<bool, 256> marks = {};
  for (const char c : {'(', ')', '<', '>', ';', '=', '_', '*', '&', '|', '+', '/', '$', '#', '@'}) {
    marks[static_cast<unsigned char>(c)] = true;
  }
  return marks;
}
constexpr std::array<bool, 256> kCodeMarks = CodeMarks();

class Look final {
 public:
  void Take(absl::string_view text) {
    text = text.substr(0, kLookedAt - std::min(kLookedAt, bytes_));
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      other_ += byte >> 7;
      marks_ += kCodeMarks[byte] ? 1 : 0;
    }
    bytes_ += text.size();
  }
  std::string Says() const {
    const auto bytes = static_cast<double>(std::max<size_t>(bytes_, 1));
    if (static_cast<double>(other_) / bytes >= kOtherScriptsShare) return "other_scripts";
    return static_cast<double>(marks_) / bytes >= kCodeShare ? "code" : "prose";
  }

 private:
  size_t bytes_ = 0;
  size_t other_ = 0;
  size_t marks_ = 0;
};

}  // namespace

std::string ContentOf(const CallSpec& spec) {
  Look look;
  if (spec.wire == nullptr) {
    for (const Message& message : spec.messages) look.Take(message.text);
    return look.Says();
  }
  if (spec.wire->image_bytes > 0 || spec.wire->images > 0) return "pictures";
  if (!spec.wire->tools.empty()) return "tools";
  for (const WireMember& member : spec.wire->members) {
    if (member.name != "messages" && member.name != "input" && member.name != "system") continue;
    look.Take(absl::string_view(spec.wire->body)
                  .substr(member.value.begin, member.value.end - member.value.begin));
  }
  return look.Says();
}

int InputSample::PerMille() const {
  const __int128 counted = static_cast<__int128>(std::max<int64_t>(counted_tokens, 0)) * 1'000;
  const __int128 share = (counted + bound_tokens - 1) / std::max<int64_t>(bound_tokens, 1);
  return static_cast<int>(std::min<__int128>(share, std::numeric_limits<int>::max()));
}

Calibration::Calibration(const std::vector<InputCalibration>& known) {
  base::MutexLock lock(mutex_);
  for (const InputCalibration& one : known) known_[{one.provider, one.model, one.content}] = one;
}

void Calibration::Learn(const InputSample& sample) {
  bounded_tokens.Increment({sample.provider, sample.model, sample.content},
                           static_cast<uint64_t>(std::max<int64_t>(sample.bound_tokens, 0)));
  counted_tokens.Increment({sample.provider, sample.model, sample.content},
                           static_cast<uint64_t>(std::max<int64_t>(sample.counted_tokens, 0)));
  base::MutexLock lock(mutex_);
  InputCalibration& known = known_[{sample.provider, sample.model, sample.content}];
  known.provider = sample.provider;
  known.model = sample.model;
  known.content = sample.content;
  ++known.calls;
  known.bound_tokens += sample.bound_tokens;
  known.counted_tokens += sample.counted_tokens;
  known.worst_per_mille = std::max(known.worst_per_mille, sample.PerMille());
}

int64_t Calibration::TokensToHold(const std::string& provider, const std::string& model,
                                  const std::string& content, int64_t bound_tokens) const {
  base::MutexLock lock(mutex_);
  const auto known = known_.find({provider, model, content});
  if (known == known_.end() || known->second.calls < kCalibrationCallsMin) return bound_tokens;
  const __int128 share = static_cast<__int128>(known->second.worst_per_mille) *
                         (1'000 + kCalibrationMarginPerMille) / 1'000;
  const __int128 tokens = (static_cast<__int128>(bound_tokens) * share + 999) / 1'000;
  return static_cast<int64_t>(std::min<__int128>(tokens + kTokensPerMessage, bound_tokens));
}

std::vector<InputCalibration> Calibration::All() const {
  base::MutexLock lock(mutex_);
  std::vector<InputCalibration> all;
  for (const auto& [name, one] : known_) all.push_back(one);
  return all;
}

}  // namespace slipway::models
