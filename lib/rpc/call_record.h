#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/rpc/call.h"

namespace slipway::rpc {

// Counts one served RPC: in flight while it exists, then its code and latency, and a log line when
// it failed or was slow. ServeUnary and ServeAsync keep one; so should every stream.
class CallRecord final {
 public:
  enum class Kind { kUnary, kStream };  // Streams are long by nature and never slow.

  // `rpc` is "<package>.<Method>"; use RpcName().
  CallRecord(const std::string& rpc, Call call, Kind kind = Kind::kUnary);
  // An RPC that was never finished counts as cancelled.
  ~CallRecord();
  CallRecord(const CallRecord&) = delete;
  CallRecord& operator=(const CallRecord&) = delete;

  const Call& call() const { return call_; }

  // Once.
  void Finish(const absl::Status& status);

 private:
  struct Series;

  Series& series_;
  const Call call_;
  const Kind kind_;
  const absl::Duration started_;
  bool finished_ = false;
};

// "slipway.ledger.v1.AppendEntry" for the message slipway.ledger.v1.AppendEntryRequest: every RPC
// has a request type of its own.
template <typename Request>
const std::string& RpcName() {
  static const std::string& name = *new std::string([] {
    std::string full = Request::descriptor()->full_name();
    constexpr char kSuffix[] = "Request";
    constexpr size_t kSize = sizeof(kSuffix) - 1;
    if (full.size() > kSize && full.compare(full.size() - kSize, kSize, kSuffix) == 0) {
      full.resize(full.size() - kSize);
    }
    return full;
  }());
  return name;
}

}  // namespace slipway::rpc
