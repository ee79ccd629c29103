#include "lib/metrics/metrics.h"

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/testkit/matchers.h"

namespace slipway::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(CounterTest, UnlabelledCounterIsShownFromTheStart) {
  const Counter counter({.name = "test_total", .description = "Things."});

  EXPECT_EQ(Render(), "# HELP test_total Things.\n# TYPE test_total counter\ntest_total 0\n");
}

TEST(CounterTest, SeriesAreKeptApartByLabels) {
  Counter counter({.name = "test_total", .description = "D.", .labels = {"rpc", "code"}});
  counter.Increment({"Get", "OK"});
  counter.Increment({"Get", "OK"}, 2);
  counter.Increment({"Get", "NOT_FOUND"});

  EXPECT_THAT(Render(), HasSubstr("test_total{rpc=\"Get\",code=\"NOT_FOUND\"} 1\n"
                                  "test_total{rpc=\"Get\",code=\"OK\"} 3\n"));
}

TEST(CounterTest, LabelValuesAndDescriptionsAreEscaped) {
  Counter counter({.name = "test_total", .description = "a\\b\n\"c\"", .labels = {"path"}});
  counter.Increment({"q\"b\\n\n"});

  EXPECT_EQ(Render(),
            "# HELP test_total a\\\\b\\n\"c\"\n# TYPE test_total counter\n"
            "test_total{path=\"q\\\"b\\\\n\\n\"} 1\n");
}

TEST(CounterTest, SeriesBeyondTheLimitAreCountedTogether) {
  Counter counter({.name = "test_total", .description = "D.", .labels = {"id"}, .series_max = 2});
  for (int i = 0; i < 100; ++i) counter.Increment({absl::StrCat(i)});

  EXPECT_THAT(Render(), HasSubstr("test_total{id=\"0\"} 1\ntest_total{id=\"1\"} 1\n"
                                  "test_total{id=\"other\"} 98\n"));
}

TEST(CounterTest, LongLabelValuesAreCut) {
  Counter counter({.name = "test_total", .description = "D.", .labels = {"id"}});
  counter.Increment({std::string(10'000, 'x')});

  EXPECT_LT(Render().size(), 300u);
}

TEST(CounterTest, ConcurrentIncrementsAreAllCounted) {
  Counter counter({.name = "test_total", .description = "D.", .labels = {"id"}});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&counter, i] {
      for (int j = 0; j < 5'000; ++j) counter.Increment({i % 2 == 0 ? "even" : "odd"});
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(counter.At({"even"}).value(), 10'000u);
  EXPECT_EQ(counter.At({"odd"}).value(), 10'000u);
}

TEST(CounterTest, DestroyedMetricIsNotShownAndItsNameIsFree) {
  { const Counter counter({.name = "test_total", .description = "D."}); }
  EXPECT_EQ(Render(), "");
  const Counter again({.name = "test_total", .description = "D."});
  EXPECT_THAT(Render(), HasSubstr("test_total 0"));
}

TEST(CounterTest, LabelledCounterWithoutSeriesIsNotShown) {
  const Counter counter({.name = "test_total", .description = "D.", .labels = {"id"}});

  EXPECT_EQ(Render(), "");
}

TEST(MetricDeathTest, DuplicateNameEndsTheProcess) {
  const Counter counter({.name = "test_total", .description = "D."});
  EXPECT_DEATH(Gauge({.name = "test_total", .description = "D."}), "declared twice");
}

TEST(MetricDeathTest, InvalidNameEndsTheProcess) {
  EXPECT_DEATH(Counter({.name = "9-lives", .description = "D."}), "not a valid name");
}

TEST(GaugeTest, SetAndAddMoveIt) {
  Gauge gauge({.name = "test_depth", .description = "D."});
  gauge.Set(2.5);
  gauge.Add(-3);

  EXPECT_THAT(Render(), HasSubstr("# TYPE test_depth gauge\ntest_depth -0.5\n"));
}

TEST(GaugeTest, ObservationsAreReadWhenShownAndAddUp) {
  Gauge gauge({.name = "test_depth", .description = "D.", .labels = {"queue"}});
  int depth = 1;
  const Gauge::Observation first = gauge.Observe({"a"}, [&] { return depth; });
  const Gauge::Observation second = gauge.Observe({"a"}, [] { return 10; });
  depth = 4;

  EXPECT_THAT(Render(), HasSubstr("test_depth{queue=\"a\"} 14\n"));
}

TEST(GaugeTest, EndedObservationIsForgotten) {
  Gauge gauge({.name = "test_depth", .description = "D.", .labels = {"queue"}});
  Gauge::Observation moved;
  {
    Gauge::Observation observation = gauge.Observe({"a"}, [] { return 1; });
    moved = std::move(observation);
  }
  EXPECT_THAT(Render(), HasSubstr("queue=\"a\""));
  moved = Gauge::Observation();
  EXPECT_THAT(Render(), Not(HasSubstr("queue=\"a\"")));
}

TEST(HistogramTest, BucketsAreCumulativeAndBoundsInclusive) {
  Histogram histogram({.name = "test_seconds", .description = "D.", .labels = {"rpc"}}, {0.1, 1});
  for (const double value : {0.1, 0.5, 1.0, 7.0}) histogram.Observe({"Get"}, value);

  EXPECT_THAT(Render(), HasSubstr("# TYPE test_seconds histogram\n"
                                  "test_seconds_bucket{rpc=\"Get\",le=\"0.1\"} 1\n"
                                  "test_seconds_bucket{rpc=\"Get\",le=\"1\"} 3\n"
                                  "test_seconds_bucket{rpc=\"Get\",le=\"+Inf\"} 4\n"
                                  "test_seconds_sum{rpc=\"Get\"} 8.6\n"
                                  "test_seconds_count{rpc=\"Get\"} 4\n"));
}

TEST(HistogramTest, DurationsAreObservedInSeconds) {
  Histogram histogram({.name = "test_seconds", .description = "D."});
  histogram.Observe({}, absl::Milliseconds(250));

  EXPECT_THAT(Render(), HasSubstr("test_seconds_sum 0.25\n"));
}

}  // namespace
}  // namespace slipway::metrics
