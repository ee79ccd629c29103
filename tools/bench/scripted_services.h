#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "lib/rpc/server.h"

namespace slipway::bench {

// The services that a dispatcher drives, answering at once: a reviewer that accepts everything and
// counts what lands, models that make a key for each attempt, a ledger whose log says nothing.
class ScriptedServices final {
 public:
  // Serves all on one Unix socket.
  static absl::StatusOr<std::unique_ptr<ScriptedServices>> Start(const std::string& socket);
  ~ScriptedServices();

  const std::string& address() const { return server_->address(); }

  // How many tasks of the plan were merged; the integration is not one of them.
  int MergedOf(const std::string& plan);
  // Whether the plan was integrated.
  bool IsIntegrated(const std::string& plan);
  // How many merges asked for a task that had been merged from another attempt.
  int MergedTwice();

 private:
  class Reviewer;
  class Models;
  class LedgerLog;

  struct Landings {
    int tasks = 0;
    bool integrated = false;
  };

  ScriptedServices();
  // The commit of a candidate; the same one when it is asked for again.
  std::string Land(const std::string& candidate);

  std::unique_ptr<Reviewer> reviewer_;
  std::unique_ptr<Models> models_;
  std::unique_ptr<LedgerLog> ledger_;
  base::Mutex mutex_;
  std::map<std::string, Landings> landings_ ABSL_GUARDED_BY(mutex_);   // By plan.
  std::map<std::string, std::string> landed_ ABSL_GUARDED_BY(mutex_);  // Candidate by task.
  int merged_twice_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<rpc::Server> server_;
};

}  // namespace slipway::bench
