#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/base/clock.h"
#include "lib/base/thread_pool.h"
#include "services/models/domain/provider.h"
#include "services/models/providers/call_log.h"
#include "services/models/providers/script.h"

namespace slipway::models {

// A provider whose replies, usage, latencies and faults come from a file, and whose books are a
// file: deterministic, free of any network, and able to say after a crash what it billed. It is
// priced by the ledger like any other.
class ScriptedProvider final : public Provider {
 public:
  // `call_log` may be empty: then there are no books, and calls cut off are charged their hold.
  static absl::StatusOr<std::unique_ptr<ScriptedProvider>> Open(std::string name,
                                                                const std::string& script,
                                                                const std::string& call_log,
                                                                base::Clock& clock);

  const std::string& name() const override { return name_; }
  const char* kind() const override { return "scripted"; }
  bool free() const override { return false; }
  bool Takes(Dialect) const override { return true; }

  std::unique_ptr<ProviderExchange> Start(const ProviderCall& call, ProviderSink& sink) override;
  Reconciliation Reconcile(const std::string& call_id) override;

 private:
  class Answer;

  ScriptedProvider(std::string name, Script script, std::unique_ptr<CallLog> books,
                   base::Clock& clock)
      : name_(std::move(name)),
        script_(std::move(script)),
        books_(std::move(books)),
        clock_(clock) {}

  const std::string name_;
  const Script script_;
  const std::unique_ptr<CallLog> books_;  // May be null.
  base::Clock& clock_;
  base::ThreadPool pool_{{.threads = 2}};  // For replies that come late: writing books blocks.
};

}  // namespace slipway::models
