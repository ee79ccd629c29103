#include "lib/inspection/tree_base_view.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status_macros.h"
#include "lib/patch/patch.h"

namespace slipway::inspection {
namespace {

const git::TreeEntry* EntryNamed(const git::Tree& tree, absl::string_view name) {
  const auto entry = std::find_if(tree.begin(), tree.end(), [&](const git::TreeEntry& candidate) {
    return candidate.name == name;
  });
  return entry == tree.end() ? nullptr : &*entry;
}

// Modes of old trees (0100664) count as what git makes of them.
uint32_t CanonicalMode(const git::TreeEntry& entry) {
  if (entry.is_tree()) return patch::kDirectory;
  if (!entry.is_file()) return entry.mode;
  return (entry.mode & 0100) != 0 ? patch::kExecutable : patch::kRegular;
}

}  // namespace

absl::StatusOr<const git::Tree*> TreeBaseView::Load(const git::Oid& oid) {
  const auto found = trees_.find(oid);
  if (found != trees_.end()) return &found->second;
  ASSIGN_OR_RETURN(git::Tree tree, git::ReadTree(source_, oid));
  return &trees_.emplace(oid, std::move(tree)).first->second;
}

absl::StatusOr<const git::Tree*> TreeBaseView::Directory(const std::string& path) {
  ASSIGN_OR_RETURN(const git::Tree* tree, Load(tree_));
  if (path.empty()) return tree;
  for (const absl::string_view name : absl::StrSplit(path, '/')) {
    const git::TreeEntry* const entry = EntryNamed(*tree, name);
    if (entry == nullptr || !entry->is_tree()) return nullptr;
    ASSIGN_OR_RETURN(tree, Load(entry->oid));
  }
  return tree;
}

absl::StatusOr<std::optional<patch::BaseView::Entry>> TreeBaseView::Find(absl::string_view path) {
  const size_t slash = path.rfind('/');
  const std::string parent(slash == absl::string_view::npos ? "" : path.substr(0, slash));
  ASSIGN_OR_RETURN(const git::Tree* const tree, Directory(parent));
  if (tree == nullptr) return std::nullopt;
  const git::TreeEntry* const entry = EntryNamed(*tree, path.substr(slash + 1));
  if (entry == nullptr) return std::nullopt;
  return Entry{.mode = CanonicalMode(*entry), .oid = entry->oid.ToHex()};
}

absl::StatusOr<std::string> TreeBaseView::Read(absl::string_view oid) {
  ASSIGN_OR_RETURN(const git::Oid blob, git::Oid::Parse(oid));
  return git::ReadBlob(source_, blob, patch::Limits().file_bytes_max);
}

absl::StatusOr<std::vector<patch::BaseView::NamedEntry>> TreeBaseView::List(
    absl::string_view directory) {
  ASSIGN_OR_RETURN(const git::Tree* const tree, Directory(std::string(directory)));
  if (tree == nullptr) {
    return absl::NotFoundError(absl::StrCat(directory, " is not a directory"));
  }
  std::vector<NamedEntry> entries;
  for (const git::TreeEntry& entry : *tree) {
    entries.push_back(
        {.name = entry.name, .entry = {.mode = CanonicalMode(entry), .oid = entry.oid.ToHex()}});
  }
  return entries;
}

}  // namespace slipway::inspection
