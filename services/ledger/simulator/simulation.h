#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/base/id_generator.h"
#include "lib/faultdisk/fault_disk.h"
#include "lib/faultdisk/fault_vfs.h"
#include "lib/simulation/campaign.h"
#include "lib/simulation/sim_clock.h"
#include "services/ledger/simulator/model.h"
#include "services/ledger/simulator/operation.h"
#include "services/ledger/simulator/table_check.h"
#include "services/ledger/simulator/workload.h"
#include "services/ledger/storage/sqlite_ledger_store.h"

namespace slipway::ledger::simulator {

// What is broken on purpose, to prove that it would be found.
enum class Mutant {
  kNone,
  kSyncsLie,           // The disk acknowledges a sync that it has not done.
  kReplyBeforeCommit,  // Clients are answered although the commit failed.
  kExpiryRefunds,      // A call that expires gives its money back.
  kLegMissing,         // Reservations lose the legs of a metric.
  kWindowNotPinned,    // A call is charged to the window of its end.
  kSettledTwice,       // The repeat of a settlement counts again.
  kMirrorNotRebuilt,   // A restart forgets what is held.
  kDenialNotStored,    // A denied key is free again.
  kLogNotSynced,       // Replies are sent before the log of decisions is on disk.
  kTailNotChecked,     // A record that the power failure tore is taken for whole.
  kAppliedTwice,       // The tables do not tell up to which decision they go.
  kLogBegunTooEarly,   // The log is begun again before the tables are on disk.
};
inline constexpr int kMutantCount = 13;
const char* NameOf(Mutant mutant);

// How often what happened, by name: "op reserve", "denied LIMIT", "crash power loss at sync".
using simulation::Coverage;

// One history of a ledger and its clients, all of which the seed decides: the ledger's own domain
// and storage, on a disk that fails and a clock that jumps, against a model that predicts every
// answer.
class Simulation final {
 public:
  struct Options {
    uint64_t seed = 1;
    int steps = 120;
    Mutant mutant = Mutant::kNone;
    bool verbose = false;  // Prints each line of the trace on stdout.
  };

  explicit Simulation(const Options& options);

  // DATA_LOSS with the step, what was expected and what was observed.
  absl::Status Run();

  const Coverage& coverage() const { return coverage_; }

  // Of the trace: equal for equal histories.
  uint64_t digest() const { return digest_; }
  int step() const { return step_; }

 private:
  // A request on its way to the ledger or in its queue.
  struct Request {
    Operation operation;
    int attempts = 1;
    int64_t due = 0;  // The step in which it arrives.
    bool answered = false;
    std::string reason;  // Of the error; empty when it is OK.
    std::string text;
    std::string choice;
    Expectation expected;
    size_t state = 0;  // The state of `states_` that its answer is of.
  };
  using Requests = std::vector<std::shared_ptr<Request>>;

  class Ids;

  absl::Status Step();
  void Clients();
  void MoveTime();
  void MaybeArmFault();
  absl::Status RunQueue();
  absl::Status ApplyLogged();
  bool Failed() const { return lost_ || disk_.dead(); }
  absl::Status CrashAfterFault();
  void Predict(Requests batch);
  Expectation PredictOne(Model& model, const Operation& operation);
  absl::Status CompareAnswers();
  absl::Status CompareAnswer(Request& request);
  void Send(const std::shared_ptr<Request>& request);
  void Arrive(const std::shared_ptr<Request>& request);
  void Retry(const Request& request);

  absl::Status Crash(bool lose_power);
  absl::Status StopAndStart();
  absl::Status OpenStore();
  absl::Status FindState();
  absl::Status Check();
  absl::Status Sabotage(const std::string& sql);
  absl::Status SabotageBeforeStart();
  void Refund(absl::Time now);

  void Trace(const std::string& line);
  void Count(const std::string& what) { ++coverage_[what]; }
  absl::Status Breach(const std::string& what) const;

  const Options options_;
  faultdisk::Random random_;
  faultdisk::FaultDisk disk_;
  faultdisk::FaultVfs vfs_;
  simulation::SimClock clock_;
  Workload workload_;
  std::unique_ptr<base::IdGenerator> ids_;
  Model model_;
  const Ledger::Options ledger_options_;
  std::unique_ptr<SqliteLedgerStore> store_;
  std::unique_ptr<TableCheck> tables_;
  const int checkpoint_pages_;   // These two are small, so that histories are full of checkpoints
  const int64_t log_bytes_max_;  // and logs begun again.
  bool lost_ = false;            // The store told that a change could not be stored.

  Requests network_;
  Requests queue_;             // What the ledger has been asked and has not decided.
  std::vector<Model> states_;  // Before, and after each operation of a run of the queue.
  Coverage coverage_;
  uint64_t digest_ = 0xcbf29ce484222325;
  int step_ = 0;
};

// The ledger as what campaigns run.
const simulation::Subject& Simulated();

}  // namespace slipway::ledger::simulator
