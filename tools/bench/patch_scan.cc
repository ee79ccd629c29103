#include "tools/bench/patch_scan.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/status_macros.h"
#include "lib/patch/renderer.h"
#include "lib/patch/unified_parser.h"
#include "lib/policy/secret_scanner.h"

namespace slipway::bench {
namespace {

constexpr int kScanRuns = 15;
constexpr double kMegabyte = 1e6;

std::string MakeSourcePatch() {
  constexpr absl::string_view kLines[] = {
      "#include \"services/reviewer/domain/change.h\"",
      "  const absl::StatusOr<std::string> token = reader.Next();",
      "  if (!token.ok()) return token.status();",
      "// The password of the test account comes from the environment.",
      "",
      "    for (size_t i = 0; i < entries.size(); ++i) {",
      "      sum += entries[i].size * kBlockBytes;  // See https://example.org/blocks",
      "    }",
      "  return absl::OkStatus();",
      "}"};
  std::vector<patch::FileDiff> diffs;
  for (int file = 0; file < 400; ++file) {
    std::string content;
    for (int line = 0; line < 600; ++line) {
      absl::StrAppend(&content, kLines[(line * 7 + file) % 10], line % 9 == 0 ? " // " : "",
                      line % 9 == 0 ? absl::StrCat(line * file) : "", "\n");
    }
    diffs.push_back({.path = absl::StrFormat("src/file%03d.cc", file),
                     .after = patch::FileState{.mode = patch::kRegular, .content = content}});
  }
  return patch::RenderUnified(diffs);
}

template <typename Work>
double BestSeconds(const Work& work) {
  double best = 1e9;
  for (int run = 0; run < kScanRuns; ++run) {
    const absl::Duration started = base::RealClock().Elapsed();
    work();
    best = std::min(best, absl::ToDoubleSeconds(base::RealClock().Elapsed() - started));
  }
  return best;
}

// Calls `work` with the text of each added line.
template <typename Work>
void ForAddedLines(const patch::Patch& patch, const Work& work) {
  for (const patch::FileChange& change : patch.files) {
    if (change.binary()) continue;
    for (const patch::Hunk& hunk : change.hunks()) {
      for (const patch::HunkLine& line : hunk.Lines()) {
        if (line.kind == '+') work(line.text);
      }
    }
  }
}

}  // namespace

absl::StatusOr<ScanFigures> MeasureScans() {
  const std::string text = MakeSourcePatch();
  ScanFigures figures{.patch_bytes = text.size()};
  absl::StatusOr<patch::Patch> patch;
  const double scan = BestSeconds([&] { patch = patch::ParseUnified(text, {.renames = true}); });
  RETURN_IF_ERROR(patch.status());
  ForAddedLines(*patch, [&](absl::string_view line) { figures.added_bytes += line.size() + 1; });
  const double secrets = BestSeconds([&] {
    figures.secrets_found = 0;
    ForAddedLines(*patch, [&](absl::string_view line) {
      figures.secrets_found +=
          policy::FindSecret(line).has_value() || policy::FindEncodedSecret(line).has_value();
    });
  });
  figures.scan_mb_per_s = static_cast<double>(text.size()) / kMegabyte / scan;
  figures.secrets_ms_per_mb =
      secrets * 1e3 / (static_cast<double>(figures.added_bytes) / kMegabyte);
  return figures;
}

}  // namespace slipway::bench
