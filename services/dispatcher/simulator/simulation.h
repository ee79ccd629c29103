#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "lib/base/id_generator.h"
#include "lib/faultdisk/fault_disk.h"
#include "lib/faultdisk/fault_vfs.h"
#include "lib/simulation/campaign.h"
#include "services/dispatcher/domain/history_walk.h"
#include "services/dispatcher/simulator/people.h"
#include "services/dispatcher/simulator/sim_agent.h"
#include "services/dispatcher/simulator/sim_services.h"
#include "services/dispatcher/simulator/world.h"
#include "services/dispatcher/storage/sqlite_task_store.h"

namespace slipway::dispatcher::simulator {

// One history of a dispatcher, its agents, its services and its people, all of which the seed
// decides: the real core and storage, on a disk that fails, a network that loses, repeats, delays
// and reorders, and a wall clock that jumps. After each step the log is walked; after each restart
// and at the end everything is audited; in the end faults stop, and every run has to end.
class Simulation final {
 public:
  struct Options {
    uint64_t seed = 1;
    int steps = 300;
    Mutant mutant = Mutant::kNone;
    bool verbose = false;                     // Prints each event on stdout.
    std::optional<Failpoint> failpoint = {};  // In place of chance.
  };

  explicit Simulation(const Options& options);
  ~Simulation();

  // DATA_LOSS with the seed, the step and what was breached.
  absl::Status Run();

  const Coverage& coverage() const { return world_.coverage; }
  // Of all events: equal for equal histories.
  uint64_t digest() const { return digest_; }
  // That were passed before faults stopped, with a failpoint.
  int64_t boundaries() const { return world_.boundaries; }

 private:
  class Ids;
  class Fleet;
  friend class Fleet;

  absl::Status Step(absl::Duration by);
  absl::Duration AnyPause();
  void MakeTrouble();
  void TroubleAgents();
  void MaybeArmFault();
  absl::Status RunQueues();
  absl::Status PassCommit();
  void Freeze();
  absl::Status Quiesce();

  absl::Status Crash(bool lose_power);
  absl::Status StopAndStart();
  absl::Status Open();
  absl::Status StartDispatcher();
  absl::Status Sabotage();
  void EndProcess();

  absl::Status Check();
  absl::Status ReadEvents();
  // How long nothing was heard, at least, when an event that was just read was decided: what has
  // arrived since the log was read before may have come after the decision, and does not count.
  absl::Duration SilenceAtDecision(const World::Heard& heard) const;
  void CheckLeaseEnd(const events::Event& event);
  void CheckStall(const events::Event& event);
  void CheckAgents();
  void Watch();
  absl::Status Audit();
  absl::Status CheckTips();
  bool WasNeverStored(const AttemptKey& key);
  absl::Status CheckEnd();
  absl::Status CheckWatched();
  bool AllEnded();
  absl::Status Breach(const std::string& what) const;

  std::shared_ptr<SimAgent> AddAgent(SimAgent::Options options);

  const Options options_;
  World world_;
  faultdisk::FaultDisk disk_;
  faultdisk::FaultVfs vfs_;
  std::unique_ptr<base::IdGenerator> ids_;
  SimReviewer reviewer_{world_};
  SimModels models_{world_};
  std::unique_ptr<AgentFleet> fleet_;
  People people_;
  std::map<std::string, std::shared_ptr<SimAgent>> agents_;

  std::unique_ptr<SqliteTaskStore> store_;
  std::unique_ptr<Dispatcher> dispatcher_;
  bool lost_ = false;  // The store told that a change could not be stored.

  AuditReport report_;
  std::optional<HistoryWalk> walk_;
  std::map<TaskKey, TaskSpec> specs_;            // As last stored.
  std::map<std::string, int64_t> last_amended_;  // Sequence of the event, by plan.
  int64_t cursor_ = 0;
  absl::Duration read_ = -absl::InfiniteDuration();  // When the log was read to its end.

  std::string watch_token_;  // Of somebody who follows one project.
  std::vector<int64_t> watched_;

  uint64_t digest_ = 0xcbf29ce484222325;
  int step_ = 0;
};

// The dispatcher as what campaigns run.
const simulation::Subject& Simulated();

}  // namespace slipway::dispatcher::simulator
