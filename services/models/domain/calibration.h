#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "lib/base/mutex.h"
#include "services/models/domain/call.h"

namespace slipway::models {

// What a prompt is mostly made of, as bounds of input differ from what providers count by it:
// "pictures", "tools", "other_scripts" (not Latin), "code" or "prose". Looks at the beginning of a
// long prompt only.
std::string ContentOf(const CallSpec& spec);

// How far bounds were above what was counted, for one model and kind of content.
struct InputCalibration {
  std::string provider;
  std::string model;
  std::string content;
  int64_t calls = 0;
  int64_t bound_tokens = 0;    // All calls together.
  int64_t counted_tokens = 0;  // By the provider, all calls together.
  int worst_per_mille = 0;     // The most that a call was counted of its bound.
};

// What was learnt of bounds of input. Nothing is held by it unless a route says so. Thread-safe.
class Calibration final {
 public:
  explicit Calibration(const std::vector<InputCalibration>& known);

  void Learn(const InputSample& sample);

  // What to hold for `bound_tokens`: the worst that was seen with a margin, or the bound itself
  // while too few calls have told. Never above the bound.
  int64_t TokensToHold(const std::string& provider, const std::string& model,
                       const std::string& content, int64_t bound_tokens) const;

  // By provider, model and content.
  std::vector<InputCalibration> All() const;

 private:
  using Name = std::tuple<std::string, std::string, std::string>;

  mutable base::Mutex mutex_;
  std::map<Name, InputCalibration> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::models
