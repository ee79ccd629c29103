#include "services/ledger/domain/window.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/time/civil_time.h"
#include "services/ledger/domain/errors.h"

namespace slipway::ledger {
namespace {

constexpr size_t kNameBytesMax = 64;

// A name, never a path: the time library opens what it is given.
bool IsZoneName(const std::string& name) {
  return name.size() <= kNameBytesMax && name.front() != '/' && !absl::StrContains(name, "..") &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '+' ||
                  c == '-' || c == '/';
         });
}

}  // namespace

absl::StatusOr<absl::TimeZone> FindTimeZone(const std::string& name) {
  if (name.empty()) return absl::UTCTimeZone();
  absl::TimeZone zone;
  if (!IsZoneName(name) || !absl::LoadTimeZone(name, &zone)) return TimeZoneUnknown(name);
  return zone;
}

absl::Time WindowStart(Window window, const absl::TimeZone& zone, absl::Time time) {
  const absl::CivilSecond second = absl::ToCivilSecond(time, zone);
  if (window == Window::kDay) return absl::FromCivil(absl::CivilDay(second), zone);
  if (window == Window::kMonth) return absl::FromCivil(absl::CivilMonth(second), zone);
  return absl::UnixEpoch();
}

absl::Time WindowEnd(Window window, const absl::TimeZone& zone, absl::Time time) {
  const absl::CivilSecond second = absl::ToCivilSecond(time, zone);
  if (window == Window::kDay) return absl::FromCivil(absl::CivilDay(second) + 1, zone);
  if (window == Window::kMonth) return absl::FromCivil(absl::CivilMonth(second) + 1, zone);
  return absl::InfiniteFuture();
}

}  // namespace slipway::ledger
