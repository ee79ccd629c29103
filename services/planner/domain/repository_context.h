#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace slipway::planner {

// A file of the commit that a plan is made on.
struct RepositoryFile {
  std::string path;
  int64_t size = 0;
  bool regular = true;  // Neither a link nor a submodule.
};

// A file that a prompt shows.
struct FileText {
  std::string path;
  std::string text;
};

// A cautious count for text of unknown language: never fewer than three bytes in a token.
int64_t TokensOf(absl::string_view text);

// Paths of the files that help most to plan `spec`, best first, that together fit `tokens_max`:
// those that the spec names, then what describes the project and its build, then tests and sources
// near the root. At most kContextFilesMax.
std::vector<std::string> ChooseFiles(absl::Span<const RepositoryFile> files, absl::string_view spec,
                                     int64_t tokens_max);

// The tree and the chosen files as text for a prompt of at most `tokens_max`. Directories that do
// not fit are counted instead of listed; files that are not text are left out. `more_files` says
// that `files` is not all.
std::string RenderContext(absl::Span<const RepositoryFile> files, bool more_files,
                          absl::Span<const FileText> chosen, int64_t tokens_max);

}  // namespace slipway::planner
