#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/process.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// The program `claude` in print mode, once for each call: no tools, one turn, no retries of its
// own, an environment of its own and an empty directory. Serves the services' own calls; agents
// bring their own loop. Keeps no books.
class ClaudeCliProvider final : public Provider {
 public:
  struct Options {
    std::string name;
    std::string program = "claude";
    std::string home;  // Directory of its login; or:
    std::string key;   // An API key. Never logged.
    bool subscription = false;
    bool allow_paid = false;
    absl::Duration idle_timeout = absl::Minutes(5);
  };

  // Refuses, with ConfigInvalid, calls that may cost money without `allow_paid`, and a subscription
  // with an API key, which is billed by the token.
  static absl::StatusOr<std::unique_ptr<ClaudeCliProvider>> Make(Options options,
                                                                 base::Clock& clock);
  ~ClaudeCliProvider() override;

  const std::string& name() const override { return options_.name; }
  const char* kind() const override { return "claude_cli"; }
  bool free() const override { return options_.subscription; }
  bool Takes(Dialect) const override { return false; }

  std::unique_ptr<ProviderExchange> Start(const ProviderCall& call, ProviderSink& sink) override;
  Reconciliation Reconcile(const std::string&) override { return {}; }

 private:
  class Exchange;

  ClaudeCliProvider(Options options, std::string directory, base::Clock& clock)
      : options_(std::move(options)), directory_(std::move(directory)), clock_(clock) {}

  base::Process::Options CommandFor(const ProviderCall& call) const;

  const Options options_;
  const std::string directory_;  // Empty; the program's working directory.
  base::Clock& clock_;
};

}  // namespace slipway::models
