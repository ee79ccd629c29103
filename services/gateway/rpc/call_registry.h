#pragma once

#include <grpcpp/client_context.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "lib/base/mutex.h"

namespace slipway::gateway {

// A call to a backend that is under way for a caller.
struct ActiveCall {
  grpc::ClientContext context;
  std::atomic<bool> revoked = false;  // It was cut off because its token was revoked.
};

// The calls under way, by their tokens. Thread-safe; must outlive its holds.
class CallRegistry final {
 public:
  // Keeps a call registered while it exists. Empty when there was no room.
  class Hold final {
   public:
    Hold() = default;
    Hold(CallRegistry* registry, uint64_t id) : registry_(registry), id_(id) {}
    Hold(Hold&& other) noexcept : registry_(std::exchange(other.registry_, nullptr)) {
      id_ = other.id_;
    }
    Hold& operator=(Hold&& other) noexcept;
    ~Hold() { Release(); }
    bool held() const { return registry_ != nullptr; }
    void Release();

   private:
    CallRegistry* registry_ = nullptr;
    uint64_t id_ = 0;
  };

  // `principal` is empty for a call without a token. Refuses beyond kCallsMax.
  Hold Add(const std::string& principal, const std::shared_ptr<ActiveCall>& call);

  // Cuts off the calls of a token.
  void CancelCallsOf(const std::string& principal);

  int calls() const;

 private:
  struct Entry {
    std::string principal;
    std::weak_ptr<ActiveCall> call;
  };

  mutable base::Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::gateway
