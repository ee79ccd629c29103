#include "services/planner/domain/repository_context.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/utf8.h"
#include "services/planner/domain/limits.h"

namespace slipway::planner {
namespace {

constexpr int64_t kBytesPerToken = 3;
// The tree may use this share of the budget; the files get the rest.
constexpr int64_t kTreeShare = 3;
// Deeper files are only counted: each level is one more try to fit the budget.
constexpr int kTreeDepthMax = 12;

constexpr absl::string_view kDescribing[] = {
    "readme.md",    "readme.rst",     "readme",         "contributing.md", "architecture.md",
    "package.json", "pyproject.toml", "setup.py",       "cargo.toml",      "go.mod",
    "pom.xml",      "build.gradle",   "cmakelists.txt", "makefile",        "meson.build",
    "gemfile",      "composer.json",  "tsconfig.json"};

absl::string_view BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

int Depth(absl::string_view path) {
  return static_cast<int>(std::count(path.begin(), path.end(), '/'));
}

bool IsDescribing(absl::string_view path) {
  const std::string name = absl::AsciiStrToLower(BaseName(path));
  return std::find(std::begin(kDescribing), std::end(kDescribing), name) != std::end(kDescribing);
}

// Lock files and generated data cost tokens and say little.
bool IsNoise(absl::string_view path) {
  static constexpr absl::string_view kSuffixes[] = {
      ".lock", ".min.js", ".min.css", ".map",   ".svg", ".png", ".jpg", ".gif", ".ico",
      ".pdf",  ".zip",    ".gz",      ".woff2", ".ttf", ".bin", ".jar", ".csv", ".snap"};
  const std::string name = absl::AsciiStrToLower(BaseName(path));
  if (name == "package-lock.json" || name == "go.sum" || name == "license") return true;
  return std::any_of(std::begin(kSuffixes), std::end(kSuffixes),
                     [&](absl::string_view suffix) { return absl::EndsWith(name, suffix); });
}

// Lower is better.
int RankOf(const RepositoryFile& file, absl::string_view spec) {
  if (absl::StrContains(spec, file.path)) return 0;
  const absl::string_view name = BaseName(file.path);
  if (absl::StrContains(name, '.') && name.size() > 4 && absl::StrContains(spec, name)) return 1;
  if (IsDescribing(file.path)) return 2 + Depth(file.path);
  if (IsNoise(file.path)) return 1'000;
  return 20 + Depth(file.path);
}

bool IsText(absl::string_view text) { return text.find('\0') == absl::string_view::npos; }

// Directories by name with their files; deeper ones are cut first when the budget is short.
std::string RenderTree(absl::Span<const RepositoryFile> files, bool more_files, size_t bytes_max) {
  int depth_max = 0;
  for (const RepositoryFile& file : files) {
    depth_max = std::min(std::max(depth_max, Depth(file.path)), kTreeDepthMax);
  }
  for (int depth = depth_max; depth >= 0; --depth) {
    std::string tree;
    std::map<std::string, int> cut;
    for (const RepositoryFile& file : files) {
      if (Depth(file.path) <= depth) {
        absl::StrAppend(&tree, base::ToUtf8(file.path, kPathBytesMax), " ", file.size, "\n");
        continue;
      }
      const std::vector<absl::string_view> parts = absl::StrSplit(file.path, '/');
      std::string directory;
      for (int i = 0; i <= depth; ++i) absl::StrAppend(&directory, parts[i], "/");
      ++cut[directory];
    }
    for (const auto& [directory, count] : cut) {
      absl::StrAppend(&tree, base::ToUtf8(directory, kPathBytesMax), "** ", count, " files\n");
    }
    if (more_files) absl::StrAppend(&tree, "(there are more files)\n");
    if (tree.size() <= bytes_max) return tree;
  }
  return absl::StrCat("(", files.size(), " files, too many names to list)\n");
}

}  // namespace

int64_t TokensOf(absl::string_view text) {
  return (static_cast<int64_t>(text.size()) + kBytesPerToken - 1) / kBytesPerToken;
}

std::vector<std::string> ChooseFiles(absl::Span<const RepositoryFile> files, absl::string_view spec,
                                     int64_t tokens_max) {
  std::vector<std::pair<int, const RepositoryFile*>> ranked;
  for (const RepositoryFile& file : files) {
    if (!file.regular || file.size == 0 || file.size > kContextFileBytesMax) continue;
    const int rank = RankOf(file, spec);
    if (rank < 1'000) ranked.emplace_back(rank, &file);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  int64_t bytes_left = tokens_max * kBytesPerToken * (kTreeShare - 1) / kTreeShare;
  std::vector<std::string> chosen;
  for (const auto& [rank, file] : ranked) {
    if (chosen.size() >= static_cast<size_t>(kContextFilesMax)) break;
    if (file->size > bytes_left) continue;
    bytes_left -= file->size;
    chosen.push_back(file->path);
  }
  return chosen;
}

std::string RenderContext(absl::Span<const RepositoryFile> files, bool more_files,
                          absl::Span<const FileText> chosen, int64_t tokens_max) {
  const size_t bytes_max = static_cast<size_t>(tokens_max * kBytesPerToken);
  std::string context = "Files of the repository, with their size in bytes:\n";
  absl::StrAppend(&context, RenderTree(files, more_files, bytes_max / kTreeShare));
  for (const FileText& file : chosen) {
    if (!IsText(file.text)) continue;
    const std::string block =
        absl::StrCat("\n=== ", base::ToUtf8(file.path, kPathBytesMax), "\n",
                     base::ToUtf8(file.text, file.text.size() * 3), "\n=== end\n");
    if (context.size() + block.size() > bytes_max) continue;
    absl::StrAppend(&context, block);
  }
  return context;
}

}  // namespace slipway::planner
