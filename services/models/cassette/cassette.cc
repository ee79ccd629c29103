#include "services/models/cassette/cassette.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"

namespace slipway::models {

Cassette::Cassette(std::vector<CassetteEntry> entries) : entries_(std::move(entries)) {
  std::stable_sort(
      entries_.begin(), entries_.end(),
      [](const CassetteEntry& a, const CassetteEntry& b) { return a.start_time < b.start_time; });
}

absl::StatusOr<Cassette> Cassette::Load(const std::string& path) {
  const absl::StatusOr<std::string> text = base::ReadFile(path, kCassetteFileBytesMax);
  if (!text.ok()) {
    return ConfigInvalid(absl::StrCat("cassette ", path, ": ", text.status().message()));
  }
  const auto wrong = [&path](int64_t line, const absl::Status& status) {
    return ConfigInvalid(absl::StrCat("cassette ", path, ", line ", line, ": ", status.message()));
  };
  std::vector<CassetteEntry> entries;
  CassetteHeader header;
  int64_t number = 0;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    if (number == 1) {
      absl::StatusOr<CassetteHeader> first = HeaderFromJson(line);
      if (!first.ok()) return wrong(number, first.status());
      header = *std::move(first);
      continue;
    }
    if (line.empty()) continue;
    absl::StatusOr<CassetteEntry> entry = EntryFromJson(line);
    if (!entry.ok()) return wrong(number, entry.status());
    if (entry->scopes.plan != header.plan) {
      return wrong(number, ConfigInvalid("the call is of another plan than the first line names"));
    }
    entries.push_back(*std::move(entry));
  }
  if (static_cast<int64_t>(entries.size()) != header.entries) {
    return ConfigInvalid(absl::StrCat("cassette ", path, " is not whole: it has ", entries.size(),
                                      " calls, its first line says ", header.entries));
  }
  return Cassette(std::move(entries));
}

}  // namespace slipway::models
