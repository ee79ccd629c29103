#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/metrics/metric.h"

// Counters, gauges and histograms, shown in the Prometheus text format. Declare them at the top
// of the file that updates them:
//   metrics::Counter appended({.name = "slipway_ledger_entries_total",
//                              .description = "Entries appended to the ledger.",
//                              .labels = {"kind"}});
//   appended.Increment({"charge"});
// An update without labels is one atomic operation; with labels also one short lookup, which
// `At(...)` lets a hot path do once. Thread-safe.
namespace slipway::metrics {

// All metrics, ordered by name, in Prometheus text exposition format 0.0.4.
std::string Render();

// The Content-Type of Render().
inline constexpr char kContentType[] = "text/plain; version=0.0.4; charset=utf-8";

class CounterCell final {
 public:
  void Increment(uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

// Only grows.
class Counter final : public Family<CounterCell> {
 public:
  explicit Counter(Description description);
  ~Counter() override;

  void Increment(uint64_t by = 1) { At({}).Increment(by); }
  void Increment(Labels labels, uint64_t by = 1) { At(labels).Increment(by); }

  const char* Type() const override { return "counter"; }
  void AppendSeries(std::string& out) const override;
};

class GaugeCell final {
 public:
  void Set(double value) { value_.store(value, std::memory_order_relaxed); }
  void Add(double by) { value_.fetch_add(by, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

// Goes up and down; set by its owner, or read from a callback when it is shown.
class Gauge final : public Family<GaugeCell> {
 public:
  using Read = std::function<double()>;

  // Keeps a callback; when its destruction returns, the callback is not running and never will.
  class [[nodiscard]] Observation final {
   public:
    Observation() = default;
    Observation(Observation&& other) noexcept;
    Observation& operator=(Observation&& other) noexcept;
    ~Observation();

   private:
    friend class Gauge;
    Observation(Gauge* gauge, uint64_t id) : gauge_(gauge), id_(id) {}

    Gauge* gauge_ = nullptr;
    uint64_t id_ = 0;
  };

  explicit Gauge(Description description);
  ~Gauge() override;

  void Set(double value) { At({}).Set(value); }
  void Set(Labels labels, double value) { At(labels).Set(value); }
  void Add(double by) { At({}).Add(by); }
  void Add(Labels labels, double by) { At(labels).Add(by); }

  // Shows what `read` returns. `read` must be quick and must not touch this gauge. The values of
  // several observers of the same labels are added up, and to what Set and Add left.
  Observation Observe(Read read) { return Observe({}, std::move(read)); }
  Observation Observe(Labels labels, Read read);

  const char* Type() const override { return "gauge"; }
  void AppendSeries(std::string& out) const override;

 private:
  struct Observer {
    std::string rendered_labels;
    Read read;
  };

  void Forget(uint64_t id);

  mutable base::Mutex observers_mutex_;
  uint64_t next_observer_ ABSL_GUARDED_BY(observers_mutex_) = 1;
  std::map<uint64_t, Observer> observers_ ABSL_GUARDED_BY(observers_mutex_);
};

class HistogramCell final {
 public:
  // `bounds` are ascending and outlive the cell.
  explicit HistogramCell(const std::vector<double>& bounds);

  void Observe(double value);

  // One more than there are bounds: the last counts what is above all of them.
  std::vector<uint64_t> counts() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  const std::vector<double>& bounds_;
  const std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_ = 0;
};

// 0.5 ms to 60 s: from a cached read to a slow model call.
std::vector<double> LatencyBounds();

// Counts observations by size. Names end in their unit, as in "_seconds".
class Histogram final : public Family<HistogramCell> {
 public:
  explicit Histogram(Description description, std::vector<double> bounds = LatencyBounds());
  ~Histogram() override;

  void Observe(double value) { At({}).Observe(value); }
  void Observe(Labels labels, double value) { At(labels).Observe(value); }
  void Observe(Labels labels, absl::Duration value) {
    Observe(labels, absl::ToDoubleSeconds(value));
  }

  const char* Type() const override { return "histogram"; }
  void AppendSeries(std::string& out) const override;

 private:
  Histogram(Description description, std::shared_ptr<const std::vector<double>> bounds);

  const std::shared_ptr<const std::vector<double>> bounds_;
};

}  // namespace slipway::metrics
