#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace slipway::cli {

// How the child of RunDetached tells its parent the outcome of starting.
class StartReport final {
 public:
  explicit StartReport(int fd) : fd_(fd) {}

  // Sends `output`, which the parent prints, and the code it exits with. Once.
  void Send(int exit_code, absl::string_view output);

 private:
  int fd_;
};

struct DetachedStart {
  int exit_code = 1;
  std::string output;
};

// Goes on in a process of its own that has no terminal and logs to `log_path`, and waits until that
// process says how its start went. Only `child` runs there; its value is the exit code of that
// process. To be called before there are threads.
DetachedStart RunDetached(const std::string& log_path, absl::FunctionRef<int(StartReport&)> child);

}  // namespace slipway::cli
