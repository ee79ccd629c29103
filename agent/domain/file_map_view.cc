#include "agent/domain/file_map_view.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "lib/patch/blob_id.h"
#include "lib/patch/patch.h"

namespace slipway::agent {

absl::StatusOr<std::optional<patch::BaseView::Entry>> FileMapView::Find(absl::string_view path) {
  const auto file = files_.find(std::string(path));
  if (file != files_.end()) return file->second;
  const std::string below = absl::StrCat(path, "/");
  const auto next = files_.lower_bound(below);
  if (next == files_.end() || !absl::StartsWith(next->first, below)) return std::nullopt;
  return Entry{.mode = patch::kDirectory, .oid = std::string(patch::kNullOid)};
}

absl::StatusOr<std::vector<patch::BaseView::NamedEntry>> FileMapView::List(
    absl::string_view directory) {
  const std::string below = directory.empty() ? "" : absl::StrCat(directory, "/");
  std::map<std::string, Entry> entries;
  for (auto file = files_.lower_bound(below);
       file != files_.end() && absl::StartsWith(file->first, below); ++file) {
    const absl::string_view rest = absl::string_view(file->first).substr(below.size());
    const size_t slash = rest.find('/');
    entries[std::string(rest.substr(0, slash))] =
        slash == absl::string_view::npos
            ? file->second
            : Entry{.mode = patch::kDirectory, .oid = std::string(patch::kNullOid)};
  }
  if (entries.empty() && !directory.empty()) return absl::NotFoundError(directory);
  std::vector<NamedEntry> list;
  for (auto& [name, entry] : entries) list.push_back({.name = name, .entry = entry});
  return list;
}

}  // namespace slipway::agent
