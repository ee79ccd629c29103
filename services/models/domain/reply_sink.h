#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"

namespace slipway::models {

// Takes the reply of a call as it comes. Called by one thread at a time; must not block.
class ReplySink {
 public:
  virtual ~ReplySink() = default;

  // Before each try: the id of its record and the most output tokens that it was granted.
  virtual void OnGranted(const std::string& call, int64_t output_tokens_max) = 0;

  // Whole UTF-8 characters. Once this was called, there is no further try.
  virtual void OnText(absl::string_view text) = 0;
  // The same, and the reply's end follows at once, so that both can go together.
  virtual void OnLastText(absl::string_view text) { OnText(text); }

  // False when its reader is slow: then nothing should come until OnRoom's callback.
  virtual bool HasRoom() { return true; }
  // Calls `callback` once there is room, on any thread; replaces an earlier one.
  virtual void OnRoom(absl::AnyInvocable<void()> callback) { callback(); }

  // The reply is whole, which its reader may know; only its cost is not settled yet. For replies
  // that are passed on in their dialect.
  virtual void OnComplete() {}

  // What came so far ends with the provider's own word on why it broke off.
  virtual void OnErrorPassedOn() {}
};

}  // namespace slipway::models
