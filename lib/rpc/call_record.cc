#include "lib/rpc/call_record.h"

#include <array>
#include <atomic>
#include <memory>
#include <unordered_map>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/mutex.h"
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

constexpr size_t kCodes = static_cast<size_t>(absl::StatusCode::kUnauthenticated) + 1;

}  // namespace

// The series of one RPC, looked up once.
struct CallRecord::Series {
  explicit Series(const std::string& name)
      : rpc(name), in_flight(calls_in_flight.At({name})), seconds(call_seconds.At({name})) {}

  const std::string rpc;
  metrics::GaugeCell& in_flight;
  metrics::HistogramCell& seconds;
  std::array<std::atomic<metrics::CounterCell*>, kCodes> finished = {};

  metrics::CounterCell& Finished(absl::StatusCode code) {
    const auto index = static_cast<size_t>(code);
    if (index >= kCodes) return finished_calls.At({rpc, CodeName(code)});
    metrics::CounterCell* cell = finished[index].load(std::memory_order_acquire);
    if (cell == nullptr) {
      cell = &finished_calls.At({rpc, CodeName(code)});
      finished[index].store(cell, std::memory_order_release);
    }
    return *cell;
  }

  static Series& Of(const std::string& rpc) {
    static base::Mutex& mutex = *new base::Mutex;
    static auto& all = *new std::unordered_map<std::string, std::unique_ptr<Series>>;
    base::MutexLock lock(mutex);
    std::unique_ptr<Series>& series = all[rpc];
    if (series == nullptr) series = std::make_unique<Series>(rpc);
    return *series;
  }
};

namespace {

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

CallRecord::CallRecord(const std::string& rpc, Call call, Kind kind)
    : series_(Series::Of(rpc)),
      call_(std::move(call)),
      kind_(kind),
      started_(base::RealClock().Elapsed()) {
  series_.in_flight.Add(1);
}

CallRecord::~CallRecord() {
  if (!finished_) Finish(absl::CancelledError("ended without an answer"));
}

void CallRecord::Finish(const absl::Status& status) {
  finished_ = true;
  const absl::Duration took = base::RealClock().Elapsed() - started_;
  series_.in_flight.Add(-1);
  series_.Finished(status.code()).Increment();
  series_.seconds.Observe(absl::ToDoubleSeconds(took));
  const Fault fault = FaultOf(status.code());
  if (fault == Fault::kNone && took <= kSlow) return;

  const log::ScopedContext context({.request_id = call_.request_id()});
  const double milliseconds = absl::ToDoubleMilliseconds(took);
  if (fault == Fault::kCaller || fault == Fault::kService) {
    const auto write = fault == Fault::kService ? log::Warning : log::Info;
    write("rpc failed", {{"rpc", series_.rpc},
                         {"code", CodeName(status.code())},
                         {"reason", base::ReasonOf(status)},
                         {"error", status.message()},
                         {"principal", call_.principal()},
                         {"milliseconds", milliseconds}});
  } else if (kind_ == Kind::kUnary && took > kSlow) {
    log::Warning("rpc was slow", {{"rpc", series_.rpc}, {"milliseconds", milliseconds}});
  }
}

}  // namespace slipway::rpc
