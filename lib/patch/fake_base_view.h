#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "lib/patch/base_view.h"
#include "lib/patch/blob_id.h"
#include "lib/patch/patch.h"
#include "lib/patch/tree_change.h"

namespace slipway::patch {

// A tree in memory, for tests.
class FakeBaseView final : public BaseView {
 public:
  FakeBaseView() = default;
  FakeBaseView(std::initializer_list<std::pair<const std::string, std::string>> files) {
    for (const auto& [path, content] : files) Put(path, content);
  }

  void Put(const std::string& path, const std::string& content, uint32_t mode = kRegular) {
    files_[path] = {.mode = mode, .oid = GitBlobId(content), .content = content};
    blobs_[files_[path].oid] = content;
  }
  void Update(const std::vector<TreeChange>& changes) {
    for (const TreeChange& change : changes) files_.erase(change.path);
    for (const TreeChange& change : changes) {
      if (change.after) Put(change.path, change.after->content, change.after->mode);
    }
  }
  const std::map<std::string, FileState>& files() const { return files_; }

  absl::StatusOr<std::optional<Entry>> Find(absl::string_view path) override {
    const auto file = files_.find(std::string(path));
    if (file != files_.end()) return Entry{.mode = file->second.mode, .oid = file->second.oid};
    const std::string below = absl::StrCat(path, "/");
    const auto next = files_.lower_bound(below);
    if (next == files_.end() || !absl::StartsWith(next->first, below)) return std::nullopt;
    return Entry{.mode = kDirectory, .oid = std::string(kNullOid)};
  }

  absl::StatusOr<std::string> Read(absl::string_view oid) override {
    const auto blob = blobs_.find(std::string(oid));
    if (blob == blobs_.end()) return absl::NotFoundError("no such blob");
    return blob->second;
  }

  absl::StatusOr<std::vector<NamedEntry>> List(absl::string_view directory) override {
    std::map<std::string, Entry> entries;
    const std::string below = directory.empty() ? "" : absl::StrCat(directory, "/");
    for (const auto& [path, state] : files_) {
      absl::string_view rest = path;
      if (!absl::ConsumePrefix(&rest, below)) continue;
      const size_t slash = rest.find('/');
      if (slash == absl::string_view::npos) {
        entries[std::string(rest)] = {.mode = state.mode, .oid = state.oid};
      } else {
        entries[std::string(rest.substr(0, slash))] = {.mode = kDirectory};
      }
    }
    std::vector<NamedEntry> list;
    for (auto& [name, entry] : entries) list.push_back({.name = name, .entry = entry});
    return list;
  }

 private:
  std::map<std::string, FileState> files_;
  std::map<std::string, std::string> blobs_;
};

}  // namespace slipway::patch
