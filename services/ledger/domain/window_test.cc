#include "services/ledger/domain/window.h"

#include "lib/testkit/matchers.h"

namespace slipway::ledger {
namespace {

using testkit::FailsWithReason;

absl::Time At(const char* text) {
  absl::Time time;
  std::string problem;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &problem)) << problem;
  return time;
}

struct Case {
  const char* name;
  const char* zone;
  Window window;
  const char* time;
  const char* start;
  const char* end;
};

class WindowTable : public ::testing::TestWithParam<Case> {};

TEST_P(WindowTable, HasCalendarBounds) {
  const Case& c = GetParam();
  ASSERT_OK_AND_ASSIGN(const absl::TimeZone zone, FindTimeZone(c.zone));
  EXPECT_EQ(WindowStart(c.window, zone, At(c.time)), At(c.start));
  EXPECT_EQ(WindowEnd(c.window, zone, At(c.time)), At(c.end));
}

INSTANTIATE_TEST_SUITE_P(
    , WindowTable,
    ::testing::Values(Case{"LastMomentOfAMonth", "", Window::kMonth, "2026-02-28T23:59:59.999Z",
                           "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
                      Case{"LeapDay", "", Window::kDay, "2028-02-29T12:00:00Z",
                           "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
                      Case{"ShortDayInBerlin", "Europe/Berlin", Window::kDay,
                           "2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
                      Case{"LongDayInBerlin", "Europe/Berlin", Window::kDay, "2026-10-25T10:00:00Z",
                           "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
                      Case{"MonthAcrossTheChangeInNewYork", "America/New_York", Window::kMonth,
                           "2026-11-20T00:00:00Z", "2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"},
                      Case{"MidnightThatIsSkippedInBeirut", "Asia/Beirut", Window::kDay,
                           "2026-03-29T10:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"},
                      Case{"FourteenHoursAhead", "Pacific/Kiritimati", Window::kMonth,
                           "2026-12-31T10:00:00Z", "2026-12-31T10:00:00Z", "2027-01-31T10:00:00Z"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(WindowTest, EveryMomentIsInExactlyOneWindow) {
  for (const char* name : {"UTC", "Europe/Berlin", "America/Havana", "Asia/Kathmandu",
                           "Australia/Lord_Howe", "America/Sao_Paulo", "Atlantic/Azores"}) {
    ASSERT_OK_AND_ASSIGN(const absl::TimeZone zone, FindTimeZone(name));
    absl::Time time = At("2017-06-01T00:00:00Z");
    for (int i = 0; i < 3'000; ++i, time += absl::Minutes(317)) {
      for (const Window window : {Window::kDay, Window::kMonth}) {
        const absl::Time start = WindowStart(window, zone, time);
        const absl::Time end = WindowEnd(window, zone, time);
        ASSERT_LE(start, time) << name;
        ASSERT_GT(end, time) << name;
        ASSERT_EQ(WindowStart(window, zone, start), start) << name;
        ASSERT_EQ(WindowStart(window, zone, end), end) << name;
        ASSERT_EQ(WindowEnd(window, zone, end - absl::Nanoseconds(1)), end) << name;
      }
    }
  }
}

TEST(WindowTest, NamesThatAreNoZonesAreRefused) {
  for (const char* name : {"Mars/Base", "/etc/passwd", "../UTC", "file:UTC", "Europe/ Berlin"}) {
    EXPECT_THAT(FindTimeZone(name), FailsWithReason("TIME_ZONE_UNKNOWN")) << name;
  }
}

}  // namespace
}  // namespace slipway::ledger
