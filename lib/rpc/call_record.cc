#include "lib/rpc/call_record.h"

#include <utility>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/log/context.h"
#include "lib/log/log.h"
#include "lib/metrics/metrics.h"
#include "lib/rpc/status.h"

namespace slipway::rpc {
namespace {

metrics::Counter finished_calls({.name = "slipway_rpc_server_calls_total",
                                 .description = "RPCs answered, by method and status code.",
                                 .labels = {"rpc", "code"}});
metrics::Histogram call_seconds({.name = "slipway_rpc_server_seconds",
                                 .description = "Time from an RPC's arrival to its answer.",
                                 .labels = {"rpc"}});
metrics::Gauge calls_in_flight({.name = "slipway_rpc_server_in_flight",
                                .description = "RPCs that wait for their answer.",
                                .labels = {"rpc"}});

// Above it a unary call is worth a line: clients wait 10 s by default.
constexpr absl::Duration kSlow = absl::Seconds(2);

enum class Fault { kNone, kCaller, kService, kReported };

Fault FaultOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return Fault::kNone;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return Fault::kReported;  // ToGrpcStatus logs these with their text.
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnimplemented:
      return Fault::kService;
    default:
      return Fault::kCaller;
  }
}

}  // namespace

CallRecord::CallRecord(std::string rpc, Call call, Kind kind)
    : rpc_(std::move(rpc)),
      call_(std::move(call)),
      kind_(kind),
      started_(base::RealClock().Elapsed()) {
  calls_in_flight.Add({rpc_}, 1);
}

CallRecord::~CallRecord() {
  if (!finished_) Finish(absl::CancelledError("ended without an answer"));
}

void CallRecord::Finish(const absl::Status& status) {
  finished_ = true;
  const absl::Duration took = base::RealClock().Elapsed() - started_;
  calls_in_flight.Add({rpc_}, -1);
  finished_calls.Increment({rpc_, CodeName(status.code())});
  call_seconds.Observe({rpc_}, took);

  const log::ScopedContext context({.request_id = call_.request_id()});
  const double milliseconds = absl::ToDoubleMilliseconds(took);
  const Fault fault = FaultOf(status.code());
  if (fault == Fault::kCaller || fault == Fault::kService) {
    const auto write = fault == Fault::kService ? log::Warning : log::Info;
    write("rpc failed", {{"rpc", rpc_},
                         {"code", CodeName(status.code())},
                         {"reason", base::ReasonOf(status)},
                         {"error", status.message()},
                         {"principal", call_.principal()},
                         {"milliseconds", milliseconds}});
  } else if (kind_ == Kind::kUnary && took > kSlow) {
    log::Warning("rpc was slow", {{"rpc", rpc_}, {"milliseconds", milliseconds}});
  }
}

}  // namespace slipway::rpc
