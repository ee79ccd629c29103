// How fast a patch is read, and how much the search for credentials costs for each megabyte of
// added text. Usage: bench_scan [PATCH]; without a file it makes a patch of source-like text.
// Prints JSON.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/patch/renderer.h"
#include "lib/patch/unified_parser.h"
#include "lib/policy/secret_scanner.h"

namespace slipway::policy {
namespace {

constexpr int kRuns = 15;
constexpr double kMegabyte = 1e6;

std::string MakePatch() {
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

// The best of some runs: on a machine that is shared others only ever add time.
template <typename Work>
double BestSeconds(const Work& work) {
  double best = 1e9;
  for (int run = 0; run < kRuns; ++run) {
    const absl::Duration started = base::RealClock().Elapsed();
    work();
    best = std::min(best, absl::ToDoubleSeconds(base::RealClock().Elapsed() - started));
  }
  return best;
}

int Main(int argc, char** argv) {
  std::string text;
  if (argc > 1) {
    absl::StatusOr<std::string> read = base::ReadFile(argv[1]);
    if (!read.ok()) {
      absl::FPrintF(stderr, "bench_scan: %s\n", read.status().ToString());
      return 1;
    }
    text = *std::move(read);
  } else {
    text = MakePatch();
  }
  const absl::StatusOr<patch::Patch> patch = patch::ParseUnified(text, {.renames = true});
  if (!patch.ok()) {
    absl::FPrintF(stderr, "bench_scan: %s\n", patch.status().ToString());
    return 1;
  }
  const double scan = BestSeconds([&] {
    if (!patch::ParseUnified(text, {.renames = true}).ok()) std::abort();
  });
  size_t added = 0;
  size_t found = 0;
  for (const patch::FileChange& change : patch->files) {
    if (change.binary()) continue;
    for (const patch::Hunk& hunk : change.hunks()) {
      for (const patch::HunkLine& line : hunk.Lines()) {
        if (line.kind == '+') added += line.text.size() + 1;
      }
    }
  }
  const double secrets = BestSeconds([&] {
    found = 0;
    for (const patch::FileChange& change : patch->files) {
      if (change.binary()) continue;
      for (const patch::Hunk& hunk : change.hunks()) {
        for (const patch::HunkLine& line : hunk.Lines()) {
          if (line.kind != '+') continue;
          found += FindSecret(line.text).has_value() || FindEncodedSecret(line.text).has_value();
        }
      }
    }
  });
  absl::PrintF(
      "{\"patch_bytes\":%d,\"added_bytes\":%d,\"scan_mb_per_s\":%.1f,\"secrets_ms_per_mb\":%.2f,"
      "\"secrets_found\":%d}\n",
      text.size(), added, text.size() / kMegabyte / scan, secrets * 1e3 / (added / kMegabyte),
      found);
  return 0;
}

}  // namespace
}  // namespace slipway::policy

int main(int argc, char** argv) { return slipway::policy::Main(argc, argv); }
