#pragma once

#include <cstddef>

#include "absl/status/statusor.h"

namespace slipway::bench {

struct ScanFigures {
  size_t patch_bytes = 0;
  size_t added_bytes = 0;
  double scan_mb_per_s = 0;      // Of the patch, by the strict parser.
  double secrets_ms_per_mb = 0;  // Of added text, plain and encoded secrets.
  size_t secrets_found = 0;
};

// How fast a patch of 400 files of source-like text is read and searched for credentials; the best
// of some runs, as others on the machine only ever add time.
absl::StatusOr<ScanFigures> MeasureScans();

}  // namespace slipway::bench
