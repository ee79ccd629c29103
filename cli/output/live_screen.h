#pragma once

#include <string>
#include <vector>

#include "cli/output/output.h"

namespace slipway::cli {

// A block of lines at the end of a terminal that is drawn over itself. Lines must be narrower than
// the terminal and fewer than its height. Not thread-safe.
class LiveScreen final {
 public:
  explicit LiveScreen(Output& output) : output_(output) {}

  // Replaces what Draw showed before; writes only what changed, so it may be called often.
  void Draw(const std::vector<std::string>& lines);

  // Prints `line` above the block, where it stays.
  void PrintAbove(const std::string& line);

 private:
  Output& output_;
  std::vector<std::string> shown_;
};

}  // namespace slipway::cli
