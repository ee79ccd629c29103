#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/base/thread_pool.h"
#include "services/models/cassette/cassette_player.h"
#include "services/models/domain/provider.h"
#include "services/models/providers/call_log.h"

namespace slipway::models {

// The scripted provider with a cassette in place of a script: it answers each call with what was
// recorded, failures and usage included, and bills what was billed. With a call log, which is its
// books, it also goes on after a crash where it was. Thread-safe.
class CassetteProvider final : public Provider {
 public:
  struct Options {
    std::string name;
    std::string cassette;    // Path.
    std::string call_log;    // Path; may be empty.
    bool real_time = false;  // Replies take as long as they took.
  };
  static absl::StatusOr<std::unique_ptr<CassetteProvider>> Open(Options options,
                                                                base::Clock& clock);

  const std::string& name() const override { return options_.name; }
  const char* kind() const override { return "scripted"; }
  bool free() const override { return false; }
  bool Takes(Dialect) const override { return true; }

  std::unique_ptr<ProviderExchange> Start(const ProviderCall& call, ProviderSink& sink) override;
  Reconciliation Reconcile(const std::string& call_id) override;

 private:
  class Answer;

  CassetteProvider(Options options, Cassette cassette, std::unique_ptr<CallLog> books,
                   base::Clock& clock)
      : options_(std::move(options)),
        player_(std::move(cassette)),
        books_(std::move(books)),
        clock_(clock) {}

  const Options options_;
  CassettePlayer player_;
  const std::unique_ptr<CallLog> books_;  // May be null.
  base::Clock& clock_;
  base::ThreadPool pool_{{.threads = 2}};  // For replies that come late: writing books blocks.
};

}  // namespace slipway::models
