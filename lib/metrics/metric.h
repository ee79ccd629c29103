#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"

namespace slipway::metrics {

// Label values in the order of Description::labels.
using Labels = std::initializer_list<absl::string_view>;

struct Description {
  std::string name;  // "slipway_<area>_<what>_<unit>"; counters end in "_total".
  std::string description;
  std::vector<std::string> labels;
  // Combinations of label values kept apart; what comes after is counted under "other", so that
  // a label that turns out to be unbounded costs accuracy and not memory.
  size_t series_max = 512;
};

// A named metric that Render() shows while it exists. A name that is not of [a-z0-9_] or is taken
// ends the process: metrics are declared at namespace scope, so that is a programmer's error.
class Metric {
 public:
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;

  const Description& description() const { return description_; }
  virtual const char* Type() const = 0;
  virtual void AppendSeries(std::string& out) const = 0;

 protected:
  explicit Metric(Description description);
  virtual ~Metric() = default;

  // For the constructor and destructor of the most derived class.
  void Register();
  void Unregister();

  // `name{label="value",...}`; `extra` is a further, already rendered label.
  static std::string SeriesName(const std::string& name, const std::string& rendered_labels,
                                const std::string& extra = "");
  std::string RenderLabels(Labels values) const;
  std::string RenderOtherLabels() const;

 private:
  const Description description_;
};

// The cells of one metric by their label values. Cells live as long as the metric, so that a
// caller may keep a reference to one and pay for the lookup once. Thread-safe.
template <typename Cell>
class Family : public Metric {
 public:
  // The cell of `values`, of which there must be as many as labels: missing ones are empty,
  // further ones ignored.
  Cell& At(Labels values) {
    if (description().labels.empty()) return *unlabelled_;
    std::string rendered = RenderLabels(values);
    base::MutexLock lock(mutex_);
    const auto found = cells_.find(rendered);
    if (found != cells_.end()) return *found->second;
    if (cells_.size() >= description().series_max) rendered = RenderOtherLabels();
    std::unique_ptr<Cell>& cell = cells_[rendered];
    if (cell == nullptr) cell = make_cell_();
    return *cell;
  }

 protected:
  using MakeCell = std::function<std::unique_ptr<Cell>()>;

  Family(Description description, MakeCell make_cell)
      : Metric(std::move(description)),
        make_cell_(std::move(make_cell)),
        unlabelled_(make_cell_()) {}

  // Calls `visit(rendered_labels, cell)` for each series.
  template <typename Visit>
  void ForEach(Visit visit) const {
    if (description().labels.empty()) return visit(std::string(), *unlabelled_);
    base::MutexLock lock(mutex_);
    for (const auto& [rendered, cell] : cells_) visit(rendered, *cell);
  }

 private:
  const MakeCell make_cell_;
  const std::unique_ptr<Cell> unlabelled_;
  mutable base::Mutex mutex_;
  std::map<std::string, std::unique_ptr<Cell>> cells_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace slipway::metrics
