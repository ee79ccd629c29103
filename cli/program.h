#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace slipway::cli {

// What the program reads and writes.
struct Streams {
  std::ostream& results;   // Standard output.
  std::ostream& progress;  // Standard error.
  std::istream& input;
  bool results_are_a_terminal = false;
  bool progress_is_a_terminal = false;
};

// The command `slipway` with `arguments` after its name; the exit code. Every error is printed.
int RunProgram(std::vector<std::string> arguments, Streams streams);

}  // namespace slipway::cli
