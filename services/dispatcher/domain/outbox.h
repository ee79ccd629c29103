#pragma once

#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace slipway::dispatcher {

// What a command does to the world outside: done only after the command's change is on disk.
class Outbox final {
 public:
  using Effect = absl::AnyInvocable<void() &&>;

  void Add(Effect effect) { effects_.push_back(std::move(effect)); }
  // For what tells of nothing but what was on disk before: it waits for no commit.
  void AddSettled(Effect effect) { settled_.push_back(std::move(effect)); }
  std::vector<Effect> Take() { return std::exchange(effects_, {}); }
  std::vector<Effect> TakeSettled() { return std::exchange(settled_, {}); }

 private:
  std::vector<Effect> effects_;
  std::vector<Effect> settled_;
};

}  // namespace slipway::dispatcher
