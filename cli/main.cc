#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "cli/program.h"

int main(int argc, char** argv) {
  return slipway::cli::RunProgram(std::vector<std::string>(argv + 1, argv + argc),
                                  {.results = std::cout,
                                   .progress = std::cerr,
                                   .input = std::cin,
                                   .results_are_a_terminal = isatty(STDOUT_FILENO) == 1,
                                   .progress_is_a_terminal = isatty(STDERR_FILENO) == 1});
}
