#pragma once

#include <istream>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/client/connection.h"
#include "cli/client/gateway_names.h"
#include "cli/client/name_resolver.h"
#include "cli/client/target.h"
#include "cli/output/output.h"
#include "lib/base/clock.h"

namespace slipway::cli {

// What every command gets: the options that hold for all commands, where it prints, and the suite
// it talks to. One invocation is one command.
class Invocation final {
 public:
  struct Options {
    TargetOptions target;
    std::string project;  // For names that are given in short.
  };

  Invocation(Options options, Output& output, std::istream& input, base::Clock& clock)
      : options_(std::move(options)), output_(output), input_(input), clock_(clock) {}

  const Options& options() const { return options_; }
  Output& output() { return output_; }
  std::istream& input() { return input_; }
  base::Clock& clock() { return clock_; }
  DataDirectory data() const { return DataOf(options_.target); }

  // Finds the suite; connecting happens with the first call. Fails as FindTarget.
  absl::Status Connect();

  // Only after Connect.
  Connection& connection() { return *connection_; }
  NameResolver& names() { return *names_; }

 private:
  const Options options_;
  Output& output_;
  std::istream& input_;
  base::Clock& clock_;
  std::unique_ptr<Connection> connection_;
  std::optional<GatewayNames> source_;
  std::optional<NameResolver> names_;
};

}  // namespace slipway::cli
