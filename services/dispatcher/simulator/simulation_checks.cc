// What must hold, and how processes die and come back: the rest of Simulation.
#include <algorithm>
#include <cstdio>

#include <sqlite3.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status_macros.h"
#include "services/dispatcher/simulator/simulation.h"

namespace slipway::dispatcher::simulator {
namespace {

using absl::StrCat;
using faultdisk::Access;
using faultdisk::Fault;

constexpr char kDatabase[] = "dispatcher.db";
constexpr int kFailedStartsMax = 3;
constexpr int kEventsPerRead = 500;
constexpr absl::Duration kLease = absl::Seconds(30);
constexpr absl::Duration kStall = absl::Seconds(40);
constexpr int kNever = 1'000;
constexpr char kWatchedProject[] = "projects/p1";

}  // namespace

// Tight enough that every limit holds something back, and steps of waiting that a history has.
Settings SettingsOf(Mutant mutant) {
  Settings settings{
      .lease_timeout = kLease,
      .stall_timeout = kStall,
      .stall_grace = absl::Seconds(20),
      .hosts = {{.name = "hosts/local", .driver = HostDriver::kProcess, .slots = 2},
                {.name = "hosts/outside", .driver = HostDriver::kExternal, .slots = 2}},
      .scheduling = {.projects = {{"projects/p0", {.weight = 3}}},
                     .plan_attempts_max = 2,
                     .lane_changes_max = 3,
                     .credentials = {{.name = "key", .roles = {"builder"}, .attempts_max = 2}},
                     .aging_step = absl::Seconds(20),
                     .overlap_wait = absl::Seconds(40)}};
  if (mutant == Mutant::kLimitsIgnored) {
    settings.scheduling.plan_attempts_max = 0;
    settings.scheduling.credentials.clear();
  }
  if (mutant == Mutant::kBlindRetry) settings.same_failures_max = kNever;
  if (mutant == Mutant::kPoisonIgnored) {
    settings.poison_deaths_max = kNever;
    settings.poison_hosts_max = kNever;
  }
  if (mutant == Mutant::kImpatient) {
    settings.stall_timeout = absl::Seconds(2);
    settings.stall_grace = absl::Seconds(1);
  }
  if (mutant == Mutant::kNoAging) settings.scheduling.aging_step = absl::Hours(24 * 365);
  return settings;
}

GrantRules TheRules() { return RulesOf(SettingsOf(Mutant::kNone)); }

void Simulation::EndProcess() {
  world_.dispatcher = nullptr;
  world_.store = nullptr;
  ++world_.incarnation;
  disk_.Die();
  store_.reset();
  dispatcher_.reset();
  std::erase_if(agents_, [](const auto& entry) {
    if (entry.second->options().process) entry.second->Die();
    return entry.second->options().process;
  });
  for (const auto& [id, agent] : agents_) agent->LoseConnection();
}

absl::Status Simulation::Crash(bool lose_power) {
  const bool had_power = !lose_power && !disk_.power_lost();
  EndProcess();
  vfs_.Restart();
  disk_.Restart(lose_power);
  world_.Count(had_power ? "crash process killed" : "crash power lost");
  // It takes a while until it is started again.
  world_.clock.Advance(absl::Milliseconds(world_.random.Between(10, 20'000)));
  return Open();
}

absl::Status Simulation::StopAndStart() {
  dispatcher_->Stop();
  store_->Stop();
  if (disk_.dead() || lost_) return Crash(disk_.power_lost());
  EndProcess();
  vfs_.Restart();
  disk_.Restart(world_.random.OneIn(2));
  world_.Count("clean restarts");
  return Open();
}

absl::Status Simulation::Open() {
  for (int failed = 0;; ++failed) {
    if (step_ > 0) RETURN_IF_ERROR(Sabotage());
    if (failed < kFailedStartsMax && step_ > 0 && world_.Chance(15)) {
      disk_.Arm({.fault = world_.random.OneIn(2) ? Fault::kKill : Fault::kPowerLoss,
                 .accesses = {Access::kRead, Access::kWrite, Access::kSync},
                 .countdown = static_cast<int>(world_.random.Between(1, 40))});
    }
    lost_ = false;
    absl::StatusOr<std::unique_ptr<SqliteTaskStore>> opened = SqliteTaskStore::Open(
        SqliteTaskStore::Options{.path = kDatabase,
                                 .vfs = vfs_.name(),
                                 .own_thread = false,
                                 .on_lost = [this](const absl::Status&) { lost_ = true; }},
        world_.clock, *ids_);
    if (opened.ok() && !disk_.dead()) {
      disk_.Disarm();
      store_ = *std::move(opened);
      return StartDispatcher();
    }
    if (!disk_.tripped()) {
      return Breach(StrCat("I10: the dispatcher does not start: ", opened.status().ToString()));
    }
    world_.Count("starts that failed");
    disk_.Die();
    opened = absl::CancelledError();
    vfs_.Restart();
    disk_.Restart(world_.random.OneIn(3));
  }
}

absl::Status Simulation::StartDispatcher() {
  RETURN_IF_ERROR(ReadEvents());
  RETURN_IF_ERROR(Audit());
  people_.CheckPromises(*store_);
  for (const auto& [key, receipt] : world_.receipts) {
    const absl::StatusOr<std::optional<Attempt>> attempt = store_->FindAttempt(key);
    const bool stored = attempt.ok() && attempt->has_value() && (*attempt)->has_result;
    if (receipt == Receipt::kAccepted && !stored) {
      world_.Breach(StrCat("I10: the result of ", key.Name(), " was accepted and is not stored"));
    }
  }
  for (const AttemptKey& key : world_.offered) {
    const absl::StatusOr<std::optional<Attempt>> attempt = store_->FindAttempt(key);
    if (attempt.ok() && !attempt->has_value()) {
      world_.Breach(StrCat("I2: ", key.Name(), " was offered and is not stored"));
    }
  }
  dispatcher_ = std::make_unique<Dispatcher>(Dispatcher::Collaborators{
      .store = *store_,
      .reviewer = reviewer_,
      .models = models_,
      .fleet = *fleet_,
      .clock = world_.clock,
      .ids = *ids_,
      .random = [this] { return static_cast<double>(world_.random.Below(1'000)) / 1'000; },
      .settings = SettingsOf(options_.mutant),
      .own_thread = false});
  RETURN_IF_ERROR(dispatcher_->Start().status());
  world_.dispatcher = dispatcher_.get();
  world_.store = store_.get();
  world_.Count("starts");
  return world_.breach.empty() ? absl::OkStatus() : Breach(world_.breach);
}

// What a broken restart would do to what is stored.
absl::Status Simulation::Sabotage() {
  const char* sql = nullptr;
  if (options_.mutant == Mutant::kLostAtRestart) sql = "UPDATE attempt SET state=8 WHERE state=2";
  if (options_.mutant == Mutant::kEpochSetBack) sql = "UPDATE task SET epoch=0 WHERE state IN(2,9)";
  if (options_.mutant == Mutant::kDependencyIgnored) sql = "UPDATE task SET state=2 WHERE state=1";
  if (sql == nullptr) return absl::OkStatus();
  sqlite3* database = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  if (sqlite3_open_v2(kDatabase, &database, flags, vfs_.name()) == SQLITE_OK) {
    sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
  }
  sqlite3_close(database);
  return absl::OkStatus();
}

absl::Status Simulation::Check() {
  RETURN_IF_ERROR(ReadEvents());
  if (!report_.holds()) return Breach(report_.FirstBreach());
  CheckAgents();
  for (const auto& [reason, count] : dispatcher_->waits().Count()) {
    world_.coverage[StrCat("waits ", Name(reason))] += count;
  }
  if (world_.random.OneIn(3)) Watch();
  if (world_.random.OneIn(40)) RETURN_IF_ERROR(Audit());
  return world_.breach.empty() ? absl::OkStatus() : Breach(world_.breach);
}

absl::Status Simulation::ReadEvents() {
  while (true) {
    const absl::StatusOr<events::Page> page =
        store_->event_log().ReadAfter(cursor_, {}, kEventsPerRead);
    if (!page.ok()) {
      if (disk_.dead()) return absl::OkStatus();
      return Breach(StrCat("I6: the log cannot be read on: ", page.status().ToString()));
    }
    for (const events::Event& event : page->events) {
      if (event.draft.kind == "run.amended") last_amended_[event.draft.plan] = event.sequence;
    }
    for (const events::Event& event : page->events) {
      for (const char byte : StrCat(event.draft.kind, event.draft.payload_json)) {
        digest_ = (digest_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
      }
      if (options_.verbose) {
        std::printf("%5d %s %s%s %s\n", step_, absl::FormatTime(event.append_time).c_str(),
                    event.draft.attempt.empty() ? event.draft.task.c_str() : "",
                    event.draft.attempt.c_str(), event.draft.payload_json.c_str());
      }
      CheckLeaseEnd(event);
      CheckStall(event);
      walk_->Add(event);
      world_.Count("events");
    }
    cursor_ = page->next_cursor;
    if (page->at_end) break;
  }
  read_ = world_.clock.true_elapsed();
  for (const auto& [key, fold] : walk_->tasks()) world_.newest_epoch[key] = fold.epoch;
  return absl::OkStatus();
}

absl::Duration Simulation::SilenceAtDecision(const World::Heard& heard) const {
  if (heard.last < read_) return world_.clock.true_elapsed() - heard.last;
  if (heard.before < read_) return world_.clock.true_elapsed() - heard.before;
  return absl::InfiniteDuration();
}

// A lease ends after real silence, whatever the clocks of the dispatcher say.
void Simulation::CheckLeaseEnd(const events::Event& event) {
  if (event.draft.kind != "attempt.state_changed" ||
      !absl::StrContains(event.draft.payload_json, "\"LEASE_EXPIRED\"") ||
      !absl::StrContains(event.draft.payload_json, "\"to\":\"LOST\"")) {
    return;
  }
  world_.Count("leases expired");
  const absl::StatusOr<AttemptKey> key = ParseAttemptKey(event.draft.attempt);
  const auto heard = key.ok() ? world_.heard.find(*key) : world_.heard.end();
  if (heard == world_.heard.end()) return;
  const absl::Duration silence = SilenceAtDecision(heard->second);
  if (silence < kLease) {
    world_.Breach(StrCat("I15: ", key->Name(), " lost its lease ", absl::FormatDuration(silence),
                         " after it was heard"));
  }
}

// An attempt is stopped for doing nothing after nothing was told of it for as long as that takes.
void Simulation::CheckStall(const events::Event& event) {
  if (event.draft.kind != "attempt.state_changed" ||
      !absl::StrContains(event.draft.payload_json, "\"STALLED\"") ||
      !absl::StrContains(event.draft.payload_json, "\"to\":\"FAILED\"")) {
    return;
  }
  world_.Count("attempts stalled");
  const absl::StatusOr<AttemptKey> key = ParseAttemptKey(event.draft.attempt);
  const auto active = key.ok() ? world_.active.find(*key) : world_.active.end();
  if (active == world_.active.end()) return;
  const absl::Duration quiet = SilenceAtDecision(active->second);
  if (quiet < kStall) {
    world_.Breach(StrCat("I17: ", key->Name(), " was stopped as stalled ",
                         absl::FormatDuration(quiet), " after it showed activity"));
  }
}

// Two agents never believe at once that they may work on a task because one of them was silent: an
// attempt that a person or a limit ended may be told so a moment later.
void Simulation::CheckAgents() {
  std::map<TaskKey, AttemptKey> working;
  for (const auto& [id, agent] : agents_) {
    const std::optional<AttemptKey> key = agent->working_on();
    if (!key.has_value()) continue;
    const auto [other, is_first] = working.emplace(key->task, *key);
    if (is_first) continue;
    const AttemptKey older = std::min(*key, other->second);
    const HistoryWalk::TaskFold& task = walk_->tasks().at(key->task);
    const auto attempt = task.attempts.find(older.epoch);
    if (older.epoch != std::max(*key, other->second).epoch && attempt != task.attempts.end() &&
        attempt->second.reason != "LEASE_EXPIRED") {
      world_.Count("moments of two agents, one not yet told");
      continue;
    }
    world_.Breach(StrCat("I2: two agents work on ", key->task.Name()));
  }
}

void Simulation::Watch() {
  events::EventLog& log = store_->event_log();
  int64_t cursor = 0;
  if (!watch_token_.empty()) {
    const absl::StatusOr<int64_t> decoded = log.DecodeToken(watch_token_);
    if (!decoded.ok()) return world_.Breach(StrCat("I6: ", decoded.status().ToString()));
    cursor = *decoded;
  }
  const absl::StatusOr<events::Page> page = log.ReadAfter(
      cursor, {.project = kWatchedProject}, static_cast<int>(world_.random.Between(1, 60)));
  if (!page.ok()) {
    if (!disk_.dead()) world_.Breach(StrCat("I6: ", page.status().ToString()));
    return;
  }
  for (const events::Event& event : page->events) watched_.push_back(event.sequence);
  watch_token_ = log.EncodeToken(page->next_cursor);
}

// What begins next begins with all that has landed.
absl::Status Simulation::CheckTips() {
  for (const auto& [key, fold] : walk_->tasks()) {
    if (fold.state != TaskState::kMerged || key.id == kIntegrationId) continue;
    const absl::StatusOr<std::optional<dispatcher::Run>> run = store_->FindRun(key.plan);
    if (!run.ok() || !run->has_value()) continue;  // The audit's to tell.
    if (!reviewer_.Holds((*run)->tip, key)) {
      return Breach(StrCat("I4: the tip of ", key.plan.str(), " lacks ", key.Name()));
    }
  }
  return absl::OkStatus();
}

absl::Status Simulation::Audit() {
  const absl::StatusOr<AuditResult> audit = store_->Audit();
  if (!audit.ok()) {
    if (disk_.dead()) return absl::OkStatus();
    return Breach(StrCat("I10: the audit fails: ", audit.status().ToString()));
  }
  world_.Count("audits");
  for (const AuditCheck& check : audit->checks) {
    world_.coverage["audited facts"] += check.checked;
    if (!check.breaches.empty()) {
      return Breach(StrCat(check.invariant, ": ", absl::StrJoin(check.breaches, "; ")));
    }
  }
  return CheckTips();
}

// Its key was asked for by a dispatcher that ended before it had stored the grant: no agent has it.
bool Simulation::WasNeverStored(const AttemptKey& key) {
  const absl::StatusOr<std::optional<Attempt>> attempt = store_->FindAttempt(key);
  return attempt.ok() && !attempt->has_value() && world_.offered.count(key) == 0;
}

absl::Status Simulation::CheckEnd() {
  RETURN_IF_ERROR(Audit());
  for (const auto& [key, fold] : walk_->tasks()) {
    if (fold.state != TaskState::kMerged || key.id == kIntegrationId) continue;
    const absl::StatusOr<std::optional<Task>> task = store_->FindTask(key);
    const auto landed = reviewer_.landings().find(key);
    if (landed == reviewer_.landings().end() || !task.ok() || !task->has_value() ||
        (*task)->merged_commit != landed->second.commit) {
      return Breach(StrCat("I4: ", key.Name(), " is merged, the branch does not say so"));
    }
    world_.Count("tasks merged");
  }
  for (const AttemptKey& key : models_.open()) {
    if (WasNeverStored(key)) {
      world_.Count("keys of grants that were never stored");
      continue;
    }
    return Breach(StrCat("I9: the key of ", key.Name(), " is open for ever"));
  }
  RETURN_IF_ERROR(CheckWatched());
  RETURN_IF_ERROR(StopAndStart());
  world_.Count("histories that came to their end");
  return absl::OkStatus();
}

absl::Status Simulation::CheckWatched() {
  for (int64_t before = -1; static_cast<int64_t>(watched_.size()) != before;) {
    before = static_cast<int64_t>(watched_.size());
    for (int i = 0; i < 200; ++i) Watch();
  }
  const absl::StatusOr<events::Page> all =
      store_->event_log().ReadAfter(0, {.project = kWatchedProject}, 1'000'000);
  if (!all.ok()) return Breach(all.status().ToString());
  std::vector<int64_t> expected;
  for (const events::Event& event : all->events) expected.push_back(event.sequence);
  // What one read returns has a limit of bytes.
  if (watched_.size() < expected.size()) return Breach("I6: a follower missed events");
  watched_.resize(expected.size());
  if (watched_ != expected) return Breach("I6: a follower saw other events than the log has");
  return absl::OkStatus();
}

}  // namespace slipway::dispatcher::simulator
