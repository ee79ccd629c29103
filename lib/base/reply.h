#pragma once

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace slipway::base {

// The one answer owed to a caller. Calling it answers; dropping it unanswered answers INTERNAL.
template <typename T>
class Reply final {
 public:
  using Send = absl::AnyInvocable<void(absl::StatusOr<T>) &&>;

  explicit Reply(Send send) : send_(std::move(send)) {}
  Reply(Reply&& other) noexcept : send_(std::exchange(other.send_, nullptr)) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (send_) std::move (*this)(absl::InternalError("dropped without an answer"));
  }

  void operator()(absl::StatusOr<T> result) && {
    Send send = std::exchange(send_, nullptr);
    std::move(send)(std::move(result));
  }

 private:
  Send send_;
};

}  // namespace slipway::base
