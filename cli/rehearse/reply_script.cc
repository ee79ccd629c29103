#include "cli/rehearse/reply_script.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

// A reply has at most 4 MiB, and base64 makes four bytes of three.
constexpr size_t kPatchBytesMax = (size_t{4} << 20) / 4 * 3 - 1'024;
// As large as one call of a sink may be: a reply in small pieces costs time and proves nothing.
constexpr int kChunkBytes = 256 << 10;

}  // namespace

std::string TaskIdOf(const HistoricCommit& commit) {
  return absl::StrCat("c-", commit.commit.substr(0, 16));
}

absl::StatusOr<std::vector<std::string>> WriteReplyScript(
    const History& history, const std::vector<HistoricCommit>& commits,
    const std::string& directory) {
  RETURN_IF_ERROR(base::MakeDirectories(absl::StrCat(directory, "/replies")));
  std::vector<std::string> problems;
  nlohmann::ordered_json rules = nlohmann::ordered_json::array();
  for (const HistoricCommit& commit : commits) {
    std::string& problem = problems.emplace_back();
    const absl::StatusOr<std::string> diff = history.DiffOf(commit, kPatchBytesMax);
    if (base::ReasonOf(diff.status()) == "PATCH_TOO_LARGE") {
      problem = absl::StrCat("PATCH_TOO_LARGE: ", diff.status().message());
      continue;
    }
    RETURN_IF_ERROR(diff.status());
    if (diff->empty()) {
      problem = "EMPTY_CHANGE: the commit changes no file, so there is no patch to replay";
      continue;
    }
    const std::string file = absl::StrCat("replies/", commit.commit, ".json");
    const nlohmann::json reply = {{"patch_base64", absl::Base64Escape(*diff)}};
    RETURN_IF_ERROR(base::WriteFileAtomic(absl::StrCat(directory, "/", file), reply.dump()));
    rules.push_back({{"task", TaskIdOf(commit)},
                     {"reply_file", file},
                     {"usage", {{"input", 0}, {"output", 0}}},
                     {"chunk_bytes", kChunkBytes}});
  }
  const nlohmann::ordered_json script = {{"version", 1}, {"rules", std::move(rules)}};
  RETURN_IF_ERROR(base::WriteFileAtomic(absl::StrCat(directory, "/script.json"), script.dump()));
  return problems;
}

}  // namespace slipway::cli
