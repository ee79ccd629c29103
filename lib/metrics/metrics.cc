#include "lib/metrics/metrics.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace slipway::metrics {
namespace {

std::string FormatNumber(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return absl::StrFormat("%.15g", value);
}

}  // namespace

Counter::Counter(Description description)
    : Family(std::move(description), [] { return std::make_unique<CounterCell>(); }) {
  Register();
}

Counter::~Counter() { Unregister(); }

void Counter::AppendSeries(std::string& out) const {
  ForEach([&](const std::string& labels, const CounterCell& cell) {
    absl::StrAppend(&out, SeriesName(description().name, labels), " ", cell.value(), "\n");
  });
}

Gauge::Observation::Observation(Observation&& other) noexcept
    : gauge_(std::exchange(other.gauge_, nullptr)), id_(other.id_) {}

Gauge::Observation& Gauge::Observation::operator=(Observation&& other) noexcept {
  if (this == &other) return *this;
  if (gauge_ != nullptr) gauge_->Forget(id_);
  gauge_ = std::exchange(other.gauge_, nullptr);
  id_ = other.id_;
  return *this;
}

Gauge::Observation::~Observation() {
  if (gauge_ != nullptr) gauge_->Forget(id_);
}

Gauge::Gauge(Description description)
    : Family(std::move(description), [] { return std::make_unique<GaugeCell>(); }) {
  Register();
}

Gauge::~Gauge() { Unregister(); }

Gauge::Observation Gauge::Observe(Labels labels, Read read) {
  base::MutexLock lock(observers_mutex_);
  const uint64_t id = next_observer_++;
  observers_[id] = {.rendered_labels = RenderLabels(labels), .read = std::move(read)};
  return Observation(this, id);
}

void Gauge::Forget(uint64_t id) {
  base::MutexLock lock(observers_mutex_);
  observers_.erase(id);
}

void Gauge::AppendSeries(std::string& out) const {
  std::map<std::string, double> values;
  ForEach([&](const std::string& labels, const GaugeCell& cell) { values[labels] = cell.value(); });
  {
    base::MutexLock lock(observers_mutex_);
    for (const auto& [id, observer] : observers_) {
      values[observer.rendered_labels] += observer.read();
    }
  }
  for (const auto& [labels, value] : values) {
    absl::StrAppend(&out, SeriesName(description().name, labels), " ", FormatNumber(value), "\n");
  }
}

HistogramCell::HistogramCell(const std::vector<double>& bounds)
    : bounds_(bounds), counts_(std::make_unique<std::atomic<uint64_t>[]>(bounds.size() + 1)) {}

void HistogramCell::Observe(double value) {
  if (std::isnan(value)) return;
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<uint64_t> HistogramCell::counts() const {
  std::vector<uint64_t> counts;
  for (size_t i = 0; i <= bounds_.size(); ++i) {
    counts.push_back(counts_[i].load(std::memory_order_relaxed));
  }
  return counts;
}

std::vector<double> LatencyBounds() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

Histogram::Histogram(Description description, std::vector<double> bounds)
    : Histogram(std::move(description),
                std::make_shared<const std::vector<double>>(std::move(bounds))) {}

Histogram::Histogram(Description description, std::shared_ptr<const std::vector<double>> bounds)
    : Family(std::move(description), [bounds] { return std::make_unique<HistogramCell>(*bounds); }),
      bounds_(bounds) {
  Register();
}

Histogram::~Histogram() { Unregister(); }

void Histogram::AppendSeries(std::string& out) const {
  const std::string& name = description().name;
  ForEach([&](const std::string& labels, const HistogramCell& cell) {
    const std::vector<uint64_t> counts = cell.counts();
    uint64_t total = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      total += counts[i];
      const std::string bound = i < bounds_->size() ? FormatNumber((*bounds_)[i]) : "+Inf";
      absl::StrAppend(&out,
                      SeriesName(name + "_bucket", labels, absl::StrCat("le=\"", bound, "\"")), " ",
                      total, "\n");
    }
    absl::StrAppend(&out, SeriesName(name + "_sum", labels), " ", FormatNumber(cell.sum()), "\n",
                    SeriesName(name + "_count", labels), " ", total, "\n");
  });
}

}  // namespace slipway::metrics
