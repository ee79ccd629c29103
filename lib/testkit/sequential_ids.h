#pragma once

#include <atomic>
#include <string>

#include "absl/strings/str_cat.h"
#include "lib/base/id_generator.h"

namespace slipway::testkit {

// "attempt-1", "attempt-2", ...: one counter over all prefixes.
class SequentialIds final : public base::IdGenerator {
 public:
  std::string NewId(absl::string_view prefix) override {
    return absl::StrCat(prefix, "-", ++last_);
  }
  std::string NewSecret(absl::string_view prefix) override {
    return absl::StrCat(prefix, "secret", ++last_);
  }

 private:
  std::atomic<int> last_ = 0;
};

}  // namespace slipway::testkit
