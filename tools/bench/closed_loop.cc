#include "tools/bench/closed_loop.h"

#include <algorithm>
#include <atomic>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace slipway::bench {
namespace {

class Loop final {
 public:
  Loop(int in_flight, absl::Duration length, absl::FunctionRef<void(int, Done)> start)
      : start_(start),
        workers_(static_cast<size_t>(in_flight)),
        begin_(clock_.Elapsed()),
        end_(begin_ + length) {}

  absl::StatusOr<Measurement> Run() {
    running_ = static_cast<int>(workers_.size());
    for (int worker = 0; worker < static_cast<int>(workers_.size()); ++worker) Next(worker);
    base::MutexLock lock(mutex_);
    while (running_ > 0) ended_.Wait(mutex_);
    if (!error_.ok()) return error_;
    Measurement total;
    for (const std::vector<float>& latencies : workers_) {
      total.operations += static_cast<int64_t>(latencies.size());
      total.latencies_us.insert(total.latencies_us.end(), latencies.begin(), latencies.end());
    }
    total.took = clock_.Elapsed() - begin_;
    return total;
  }

 private:
  void Next(int worker) {
    const absl::Duration sent = clock_.Elapsed();
    start_(worker, [this, worker, sent](const absl::Status& status) {
      const absl::Duration now = clock_.Elapsed();
      if (!status.ok()) return End(status);
      workers_[static_cast<size_t>(worker)].push_back(
          static_cast<float>(absl::ToDoubleMicroseconds(now - sent)));
      if (now >= end_ || failed_.load(std::memory_order_relaxed)) return End(status);
      Next(worker);
    });
  }

  void End(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    error_.Update(status);
    if (!status.ok()) failed_ = true;
    if (--running_ == 0) ended_.NotifyAll();
  }

  base::Clock& clock_ = base::RealClock();
  const absl::FunctionRef<void(int, Done)> start_;
  std::vector<std::vector<float>> workers_;  // Each is touched by one operation at a time.
  const absl::Duration begin_;
  const absl::Duration end_;
  std::atomic<bool> failed_ = false;
  base::Mutex mutex_;
  base::CondVar ended_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

void Measurement::Add(const Measurement& other) {
  operations += other.operations;
  took += other.took;
  latencies_us.insert(latencies_us.end(), other.latencies_us.begin(), other.latencies_us.end());
}

double Percentile(std::vector<float> values, double share) {
  if (values.empty()) return 0;
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return static_cast<double>(*at);
}

absl::StatusOr<Measurement> RunClosedLoop(int in_flight, absl::Duration length,
                                          absl::FunctionRef<void(int worker, Done done)> start) {
  return Loop(in_flight, length, start).Run();
}

}  // namespace slipway::bench
