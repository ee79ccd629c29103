#include "services/ledger/simulator/simulation.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "services/ledger/simulator/answer.h"

namespace slipway::ledger::simulator {
namespace {

using faultdisk::Access;
using faultdisk::Fault;

constexpr size_t kNetworkMax = 40;  // Requests under way: more would only wait.

template <typename T>
std::string ChoiceOf(const T&) {
  return "";
}
std::string ChoiceOf(const Reservation& reservation) {
  return reservation.denial.has_value() ? ChoiceText(*reservation.denial) : "";
}
std::string ChoiceOf(const ledger::TopUp& top_up) {
  return top_up.denial.has_value() ? ChoiceText(*top_up.denial) : ChoiceOf(top_up.reservation);
}

std::string TextOf(const std::string& text) { return text; }

faultdisk::FaultDisk::Options DiskOptions(Mutant mutant) {
  switch (mutant) {
    case Mutant::kSyncsLie:
      return {.syncs_lie = true};
    case Mutant::kLogNotSynced:
      return {.syncs_lie = true, .liar = "-decisions"};
    case Mutant::kLogBegunTooEarly:
      return {.syncs_lie = true, .liar = "-wal"};
    default:
      return {};
  }
}

// What the ledger was about when the disk failed.
const char* StageOf(const faultdisk::FaultDisk& disk) {
  const std::string& file = disk.tripped_file();
  const bool sync = disk.tripped_at() == Access::kSync;
  if (file.find("-decisions") != std::string::npos) {
    if (disk.tripped_offset() == 0) return sync ? "sync of a log begun again" : "log begun again";
    return sync ? "sync of the log" : "append to the log";
  }
  if (file.ends_with("-wal")) return sync ? "sync of the tables" : "commit to the tables";
  return sync ? "sync of a checkpoint" : "checkpoint";
}

}  // namespace

const char* NameOf(Mutant mutant) {
  static constexpr const char* kNames[] = {"none",
                                           "syncs-lie",
                                           "reply-before-commit",
                                           "expiry-refunds",
                                           "leg-missing",
                                           "window-not-pinned",
                                           "settled-twice",
                                           "mirror-not-rebuilt",
                                           "denial-not-stored",
                                           "log-not-synced",
                                           "tail-not-checked",
                                           "applied-twice",
                                           "log-begun-too-early"};
  return kNames[static_cast<int>(mutant)];
}

class Simulation::Ids final : public base::IdGenerator {
 public:
  std::string NewId(absl::string_view prefix) override {
    return absl::StrCat(prefix, "-", ++last_);
  }
  std::string NewSecret(absl::string_view prefix) override {
    return absl::StrCat(prefix, "secret", ++last_);
  }

 private:
  int64_t last_ = 0;
};

Simulation::Simulation(const Options& options)
    : options_(options),
      random_(options.seed),
      disk_(random_.Next(), DiskOptions(options.mutant)),
      vfs_(disk_),
      clock_(Workload::Start(random_)),
      workload_(random_),
      ids_(std::make_unique<Ids>()),
      model_(options.seed % 5 == 0),
      ledger_options_{.require_budget = options.seed % 5 == 0},
      checkpoint_pages_(random_.OneIn(3) ? 1'000 : static_cast<int>(random_.Between(4, 120))),
      log_bytes_max_(random_.OneIn(4) ? 1 << 20 : random_.Between(8 << 10, 64 << 10)) {}

void Simulation::Trace(const std::string& line) {
  for (const char c : line) digest_ = (digest_ ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  if (options_.verbose) std::printf("%4d %s\n", step_, line.c_str());
}

absl::Status Simulation::Breach(const std::string& what) const {
  return absl::DataLossError(absl::StrCat("seed ", options_.seed, " step ", step_, ": ", what));
}

absl::Status Simulation::Run() {
  RETURN_IF_ERROR(OpenStore());
  if (options_.mutant == Mutant::kLegMissing) {
    RETURN_IF_ERROR(Sabotage(
        "CREATE TRIGGER t AFTER INSERT ON reservation WHEN NEW.legs>0 BEGIN UPDATE reservation"
        " SET leg_list='[]' WHERE key=NEW.key; END"));
  } else if (options_.mutant == Mutant::kWindowNotPinned) {
    RETURN_IF_ERROR(
        Sabotage("CREATE TRIGGER t AFTER INSERT ON usage BEGIN UPDATE usage SET"
                 " charge_time_us=record_time_us WHERE sequence=NEW.sequence; END"));
  } else if (options_.mutant == Mutant::kDenialNotStored) {
    RETURN_IF_ERROR(
        Sabotage("CREATE TRIGGER t AFTER INSERT ON reservation WHEN NEW.state=2 BEGIN DELETE FROM"
                 " reservation WHERE key=NEW.key; END"));
  }
  while (step_ < options_.steps) {
    ++step_;
    RETURN_IF_ERROR(Step());
  }
  // Quiesce: all holds end, one way or another.
  disk_.Disarm();
  clock_.StepWall(absl::Hours(24 * 60));
  const int fired = clock_.Advance(absl::Seconds(1));
  for (int i = 0; i < fired; ++i) {
    queue_.push_back(std::make_shared<Request>(Request{.operation = ExpireOrder()}));
  }
  RETURN_IF_ERROR(RunQueue());
  RETURN_IF_ERROR(StopAndStart());
  for (const auto& [key, hold] : model_.holds()) {
    if (hold.state == ReservationState::kHeld) return Breach(key + " is never closed");
  }
  Count("histories");
  return absl::OkStatus();
}

absl::Status Simulation::Step() {
  MoveTime();
  Clients();
  MaybeArmFault();
  RETURN_IF_ERROR(RunQueue());
  if (random_.OneIn(3)) RETURN_IF_ERROR(ApplyLogged());
  if (random_.OneIn(60)) return StopAndStart();
  if (random_.OneIn(60)) return Crash(random_.OneIn(2));
  if (random_.OneIn(40)) return Check();
  return absl::OkStatus();
}

void Simulation::MoveTime() {
  if (random_.OneIn(25)) {
    const absl::Duration by = absl::Seconds(random_.Between(-90'000, 4'000));
    clock_.StepWall(by);
    Count(by < absl::ZeroDuration() ? "clock stepped back" : "clock stepped forward");
    Trace(absl::StrCat("the clock steps by ", absl::FormatDuration(by)));
  }
  const absl::Duration pause = workload_.Pause(clock_.Now());
  const absl::Time before = clock_.Now();
  if (options_.mutant == Mutant::kExpiryRefunds) Refund(clock_.Now() + pause);
  const int fired = clock_.Advance(pause);
  if (absl::ToCivilDay(before, absl::UTCTimeZone()) <
      absl::ToCivilDay(clock_.Now(), absl::UTCTimeZone())) {
    Count("days crossed");
  }
  if (absl::ToCivilMonth(before, absl::UTCTimeZone()) <
      absl::ToCivilMonth(clock_.Now(), absl::UTCTimeZone())) {
    Count("months crossed");
  }
  Trace(absl::StrCat("it is ", absl::FormatTime(clock_.Now(), absl::UTCTimeZone())));
  for (int i = 0; i < fired; ++i) {
    queue_.push_back(std::make_shared<Request>(Request{.operation = ExpireOrder()}));
  }
}

void Simulation::Refund(absl::Time now) {
  for (const auto& [key, hold] : model_.holds()) {
    if (hold.state != ReservationState::kHeld || hold.expire_time > now) continue;
    store_->Release(key, Proof::kNotSent,
                    base::Reply<Reservation>([](absl::StatusOr<Reservation>) {}));
  }
}

void Simulation::Clients() {
  const int64_t count = random_.Between(0, 4);
  for (int64_t i = 0; i < count && network_.size() < kNetworkMax; ++i) {
    Request request = {.operation = workload_.Next(model_, clock_.Now())};
    if (random_.OneIn(15)) {
      Count("requests lost");
      request.due = step_ + random_.Between(3, 8);  // Its client asks again.
    } else {
      request.due = step_ + (random_.OneIn(3) ? random_.Between(1, 6) : 0);
    }
    const int copies = random_.OneIn(5) ? 2 : 1;
    for (int copy = 0; copy < copies; ++copy) {
      auto sent = std::make_shared<Request>(request);
      if (copy > 0) {
        Count("requests duplicated");
        sent->due += random_.Between(0, 10);
        // Some clients change their mind under the same key.
        auto* const order = std::get_if<ReserveOrder>(&sent->operation);
        if (order != nullptr && random_.OneIn(6)) ++order->amounts.usd_nanos;
      }
      network_.push_back(sent);
    }
  }
  Requests arriving;
  std::erase_if(network_, [&](const std::shared_ptr<Request>& request) {
    if (request->due > step_) return false;
    arriving.push_back(request);
    return true;
  });
  while (!arriving.empty()) {
    const size_t pick = random_.Below(arriving.size());
    Arrive(arriving[pick]);
    arriving.erase(arriving.begin() + static_cast<int64_t>(pick));
  }
}

void Simulation::Arrive(const std::shared_ptr<Request>& request) {
  Count(absl::StrCat("op ", NameOf(request->operation)));
  Trace(simulator::TextOf(request->operation));
  queue_.push_back(request);
  Send(request);
}

void Simulation::Retry(const Request& request) {
  if (request.attempts > 4 || random_.OneIn(4)) {
    Count("outcomes left unknown");
    return;
  }
  Count("requests retried");
  network_.push_back(std::make_shared<Request>(Request{.operation = request.operation,
                                                       .attempts = request.attempts + 1,
                                                       .due = step_ + random_.Between(1, 5)}));
}

void Simulation::Send(const std::shared_ptr<Request>& request) {
  const auto reply = [&]<typename T>() {
    return base::Reply<T>([request](absl::StatusOr<T> result) {
      request->answered = true;
      if (!result.ok()) {
        request->reason = std::string(base::ReasonOf(result.status()));
        if (request->reason.empty()) request->reason = result.status().ToString();
        return;
      }
      request->text = TextOf(*result);
      request->choice = ChoiceOf(*result);
    });
  };
  SqliteLedgerStore& store = *store_;
  const Operation& operation = request->operation;
  if (const auto* order = std::get_if<ReserveOrder>(&operation)) {
    store.Reserve(*order, reply.operator()<Reservation>());
  } else if (const auto* order = std::get_if<SettleOrder>(&operation)) {
    const auto hold = model_.holds().find(order->key);
    if (options_.mutant == Mutant::kSettledTwice && hold != model_.holds().end() &&
        hold->second.state == ReservationState::kSettled) {
      store.Adjust({.key = absl::StrCat("again ", step_),
                    .reservation = order->key,
                    .delta_usd_nanos = hold->second.settled.usd_nanos},
                   base::Reply<Reservation>([](absl::StatusOr<Reservation>) {}));
    }
    store.Settle(*order, reply.operator()<Settlement>());
  } else if (const auto* order = std::get_if<ReleaseOrder>(&operation)) {
    store.Release(order->key, order->proof, reply.operator()<Reservation>());
  } else if (const auto* order = std::get_if<ExtendOrder>(&operation)) {
    store.Extend(order->key, order->lifetime, reply.operator()<Reservation>());
  } else if (const auto* order = std::get_if<TopUpOrder>(&operation)) {
    store.TopUp(*order, reply.operator()<ledger::TopUp>());
  } else if (const auto* order = std::get_if<AdjustOrder>(&operation)) {
    store.Adjust(*order, reply.operator()<Reservation>());
  } else if (const auto* order = std::get_if<BudgetOrder>(&operation)) {
    store.SetBudget(*order, reply.operator()<Balance>());
  } else if (const auto* order = std::get_if<DeleteOrder>(&operation)) {
    store.DeleteBudget(order->id, "ada", reply.operator()<std::string>());
  } else if (const auto* order = std::get_if<FreezeOrder>(&operation)) {
    store.FreezeScope(*order, reply.operator()<std::optional<FrozenScope>>());
  } else if (const auto* order = std::get_if<ImportOrder>(&operation)) {
    store.ImportPrices(order->rows, order->accept, reply.operator()<PriceBook::Import>());
  } else if (const auto* order = std::get_if<OwnerOrder>(&operation)) {
    store.CloseOwner(order->owner, order->epoch_before, reply.operator()<Closing>());
  }
}

void Simulation::MaybeArmFault() {
  if (!random_.OneIn(11)) return;
  const auto fault = static_cast<Fault>(random_.Below(faultdisk::kFaultCount));
  faultdisk::Plan plan = {.fault = fault, .countdown = static_cast<int>(random_.Between(1, 25))};
  switch (fault) {
    case Fault::kPowerLoss:
    case Fault::kKill:
      plan.accesses = {Access::kWrite, Access::kSync, Access::kTruncate};
      break;
    case Fault::kIoError:
      if (random_.OneIn(3)) {
        plan.accesses = {Access::kRead};
      } else if (random_.OneIn(3)) {
        plan = {.fault = fault, .accesses = {Access::kSync}, .countdown = 1};
      } else {
        plan.accesses = {Access::kWrite, Access::kSync, Access::kTruncate};
      }
      break;
    case Fault::kShortWrite:
    case Fault::kDiskFull:
      plan.accesses = {Access::kWrite};
  }
  disk_.Arm(std::move(plan));
}

Expectation Simulation::PredictOne(Model& model, const Operation& operation) {
  const absl::Time now = absl::FromUnixMicros(absl::ToUnixMicros(clock_.Now()));
  if (const auto* order = std::get_if<ReserveOrder>(&operation)) return model.Reserve(*order, now);
  if (const auto* order = std::get_if<SettleOrder>(&operation)) return model.Settle(*order, now);
  if (const auto* order = std::get_if<ReleaseOrder>(&operation)) {
    return model.Release(order->key, now);
  }
  if (const auto* order = std::get_if<ExtendOrder>(&operation)) {
    return model.Extend(order->key, order->lifetime, now);
  }
  if (const auto* order = std::get_if<TopUpOrder>(&operation)) return model.TopUp(*order, now);
  if (const auto* order = std::get_if<AdjustOrder>(&operation)) return model.Adjust(*order, now);
  if (const auto* order = std::get_if<BudgetOrder>(&operation)) {
    return model.SetBudget(*order, now);
  }
  if (const auto* order = std::get_if<DeleteOrder>(&operation)) {
    return model.DeleteBudget(order->id, now);
  }
  if (const auto* order = std::get_if<FreezeOrder>(&operation)) {
    return model.FreezeScope(*order, now);
  }
  if (const auto* order = std::get_if<ImportOrder>(&operation)) {
    return model.ImportPrices(order->rows, order->accept, now);
  }
  if (const auto* order = std::get_if<OwnerOrder>(&operation)) {
    return model.CloseOwner(order->owner, order->epoch_before, now);
  }
  return model.CloseExpired(now);
}

// What the ledger closes many holds with comes back into its queue until none is left.
void Simulation::Predict(Requests batch) {
  states_ = {model_};
  while (!batch.empty()) {
    Requests again;
    for (const std::shared_ptr<Request>& request : batch) {
      const Expectation expected = PredictOne(model_, request->operation);
      const int64_t closed = request->expected.closed + expected.closed;
      const int64_t charged = request->expected.charged + expected.charged;
      request->expected = expected;
      request->expected.closed = closed;
      request->expected.charged = charged;
      request->state = states_.size();
      if (std::holds_alternative<OwnerOrder>(request->operation)) {
        request->expected.text =
            simulator::TextOf(Closing{.closed = closed, .charged_usd_nanos = charged});
      }
      if (expected.closed > 0) again.push_back(request);
      // Any of them may be the last of a commit.
      states_.push_back(model_);
    }
    batch = std::move(again);
  }
}

absl::Status Simulation::RunQueue() {
  if (queue_.empty()) return absl::OkStatus();
  Predict(queue_);
  store_->RunQueued();
  RETURN_IF_ERROR(CompareAnswers());
  if (Failed()) return CrashAfterFault();
  queue_.clear();
  return absl::OkStatus();
}

// What was acknowledged comes into the tables later, or not before the next start.
absl::Status Simulation::ApplyLogged() {
  const int64_t waiting = store_->unapplied();
  if (waiting > 0) Count("decisions brought into the tables");
  store_->ApplyLogged();
  if (Failed()) return CrashAfterFault();
  return absl::OkStatus();
}

absl::Status Simulation::CrashAfterFault() {
  const bool dead = disk_.dead();
  if (!dead && !disk_.tripped()) {
    return Breach("a change could not be stored, though the disk had no fault");
  }
  Count(absl::StrCat(dead ? "crash at " : "abort after ", faultdisk::NameOf(disk_.tripped_at())));
  if (disk_.tripped_at() == Access::kWrite || disk_.tripped_at() == Access::kSync) {
    Count(absl::StrCat("failed at ", StageOf(disk_)));
  }
  return Crash(!dead && random_.OneIn(2));
}

absl::Status Simulation::CompareAnswers() {
  for (const std::shared_ptr<Request>& request : queue_) {
    if (std::holds_alternative<ExpireOrder>(request->operation)) {
      coverage_["expiries"] += request->expected.closed;
      continue;
    }
    if (!request->answered) return Breach("no answer to " + simulator::TextOf(request->operation));
    if (request->reason == "COMMIT_FAILED") {
      Count("answers lost");
      if (options_.mutant == Mutant::kReplyBeforeCommit) {
        request->reason = request->expected.reason;
        if (request->expected.reason.empty()) {
          states_ = {states_.back()};  // The client believes it.
          for (const auto& other : queue_) other->state = 0;
        }
      } else {
        Retry(*request);
      }
      continue;
    }
    RETURN_IF_ERROR(CompareAnswer(*request));
  }
  return absl::OkStatus();
}

absl::Status Simulation::CompareAnswer(Request& request) {
  const Expectation& expected = request.expected;
  const std::string told = request.reason.empty() ? request.text : request.reason;
  const std::string wanted = expected.reason.empty() ? expected.text : expected.reason;
  Trace(absl::StrCat("-> ", told, " ", request.choice));
  if (told != wanted) {
    return Breach(absl::StrCat(simulator::TextOf(request.operation), "\n  expected ", wanted,
                               "\n  observed ", told));
  }
  Count(expected.reason.empty() ? "answers" : absl::StrCat("refused ", expected.reason));
  if (!expected.reason.empty() || expected.choices.empty()) return absl::OkStatus();
  const size_t begin = expected.text.rfind("denied: ") + 8;
  Count(
      absl::StrCat("denied ", expected.text.substr(begin, expected.text.find(' ', begin) - begin)));
  if (std::find(expected.choices.begin(), expected.choices.end(), request.choice) ==
      expected.choices.end()) {
    return Breach(absl::StrCat(simulator::TextOf(request.operation), "\n  expected ",
                               absl::StrJoin(expected.choices, "\n        or "), "\n  observed ",
                               request.choice));
  }
  for (size_t i = request.state; i < states_.size(); ++i) {
    states_[i].Pin(expected.denied_key, request.choice);
  }
  model_.Pin(expected.denied_key, request.choice);
  return absl::OkStatus();
}

const simulation::Subject& Simulated() {
  static const simulation::Subject& subject = *[] {
    auto* const all = new simulation::Subject{
        .program = "slipway-ledger-sim",
        .purpose =
            "Runs random histories of the ledger on a disk that fails and a clock that jumps, and "
            "compares every answer and every table with an independent model.",
        .steps = 120,
        .run = [](const simulation::History& history) {
          Simulation simulation({.seed = history.seed,
                                 .steps = history.steps,
                                 .mutant = static_cast<Mutant>(history.mutant),
                                 .verbose = history.verbose});
          absl::Status status = simulation.Run();
          return simulation::Outcome{std::move(status), simulation.coverage(), simulation.digest()};
        }};
    for (int i = 0; i < kMutantCount; ++i) all->mutants.push_back(NameOf(static_cast<Mutant>(i)));
    return all;
  }();
  return subject;
}

}  // namespace slipway::ledger::simulator
