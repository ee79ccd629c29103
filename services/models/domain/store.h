#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/events/event.h"
#include "services/models/domain/approval.h"
#include "services/models/domain/attempt_key.h"
#include "services/models/domain/calibration.h"
#include "services/models/domain/call.h"
#include "services/models/domain/gate.h"
#include "services/models/domain/role_decision.h"
#include "services/models/domain/settlement.h"

namespace slipway::models {

// When a change survives a power failure: when the call returns, or with the next Sync, before
// which its caller tells nobody of it.
enum class Durability { kAtOnce, kWithSync };

// What must survive the process. Every change survives it, however it ends, when its method
// returns. It survives a power failure, too, except those of NoteHold, Begin, MarkSending,
// LowerCharge, End, Owe, MarkSettled, MarkOwnerClosed and Prune, which do not wait for the disk:
// for the first four LeftRunning makes up, End and Owe have Sync, the others are done again. What
// is read has been synced. Thread-safe.
class Store {
 public:
  // Decides how much a call of a key may ask for, given what the key's calls hold and have cost.
  using AdmitKey = absl::FunctionRef<absl::StatusOr<int64_t>(const KeyUse& use)>;

  virtual ~Store() = default;

  // Notes a try for which the ledger may be asked to hold, before it is asked; its record may come
  // later, but before anything is sent. Does not block.
  virtual absl::Status NoteHold(const std::string& id) = 0;
  // For a try that has no record: the ledger holds nothing for it, or is owed its end.
  virtual void ForgetHold(const std::string& id) = 0;

  // Records a try in phase kReserving and returns what it asks for: `record.charge_usd_nanos`, or,
  // for a call of a key with a limit, what `admit` says of all calls that keys of its attempt made.
  // Fails with KeyInvalid for a key that is no more, with ApprovalRequired for an approval that is
  // used up, or as `admit` does; then nothing is recorded.
  virtual absl::StatusOr<int64_t> Begin(const CallRecord& record,
                                        std::optional<AdmitKey> admit) = 0;

  // Enters phase kSending. Does not block.
  virtual absl::Status MarkSending(const std::string& id) = 0;

  // Less is held for a try than Begin returned.
  virtual absl::Status LowerCharge(const std::string& id, int64_t held_usd_nanos) = 0;

  // Ends a try, with what the ledger is owed for it, if anything, what it tells of bounds of input,
  // and an event. A power failure
  // before Sync, or before somebody read of it, leaves the try running: its hold is then charged,
  // unless the ledger has been told better.
  virtual absl::Status End(const CallRecord& record, const std::optional<Settlement>& owed,
                           const events::EventDraft& event) = 0;

  // Owes the ledger the end of a hold of `owner` that has no record. As End, but for Sync.
  virtual absl::Status Owe(const Settlement& owed, const std::string& owner) = 0;

  // Lets every change that was made before survive a power failure. Blocks on disk.
  virtual absl::Status Sync() = 0;

  // The ledger accepted what was owed. `cost` is absent when it knew better.
  virtual absl::Status MarkSettled(const std::string& reservation,
                                   std::optional<int64_t> cost_usd_nanos) = 0;

  // What calls told of bounds of input.
  virtual absl::StatusOr<std::vector<InputCalibration>> Calibrations() = 0;

  // Up to `limit` settlements that are owed, after `after` in order of their reservations.
  virtual absl::StatusOr<std::vector<Settlement>> Owed(const std::string& after, int limit) = 0;

  // Every try of a call, first to last.
  virtual absl::StatusOr<std::vector<CallRecord>> FindTries(const std::string& call_id) = 0;

  // Newest first, without replies, below sequence `before`; in `scope` or below it.
  virtual absl::StatusOr<std::vector<CallRecord>> ListCalls(int64_t before,
                                                            const std::string& scope,
                                                            int limit) = 0;

  // Up to `limit` tries that other instances than `owner` left running. Those of an instance that
  // ran before the machine's present boot are in phase kSending, as are those of any but the last:
  // what was noted of them may be lost.
  virtual absl::StatusOr<std::vector<CallRecord>> LeftRunning(const std::string& owner,
                                                              const std::string& boot,
                                                              int limit) = 0;

  // Tries of the last instance for which the ledger may hold and which have no record, so that
  // nothing was sent. None, where it ran before the machine's present boot: records may be lost.
  struct Unrecorded {
    std::string owner;
    std::vector<std::string> tries;
  };
  virtual absl::StatusOr<Unrecorded> HeldUnrecorded(const std::string& boot) = 0;

  // Instances of this service: each is registered before its first call, and when what the one
  // before has left was looked at, which is then forgotten. `boot` names the machine's
  // present boot; empty where it has no name, which is taken for another one each time.
  virtual absl::Status RegisterOwner(const std::string& owner, const std::string& boot) = 0;
  // Those except `owner` that are not closed and for which nothing is owed or running.
  virtual absl::StatusOr<std::vector<std::string>> OwnersToClose(const std::string& owner) = 0;
  virtual absl::Status MarkOwnerClosed(const std::string& owner) = 0;

  // Keeps an approval, unless one with its id is known; returns when that ends.
  virtual absl::StatusOr<absl::Time> PutApproval(const Approval& approval) = 0;
  // One that lets a call of `role` be made in `scopes`. Begin uses it up.
  virtual absl::StatusOr<std::optional<std::string>> FindApproval(const Scopes& scopes,
                                                                  const std::string& role) = 0;

  virtual absl::StatusOr<std::vector<Gate>> Gates() = 0;
  virtual absl::Status PutGate(const Gate& gate, const events::EventDraft& event) = 0;
  virtual absl::Status RemoveGate(const std::string& name, const events::EventDraft& event) = 0;

  // Replaces an earlier key of the same attempt and epoch; returns its hash, or "". The decision
  // about its role is kept with it, in place of an earlier one about the attempt. Fails with
  // AttemptRevoked once the keys of the attempt were removed, and with KeySuperseded when there is
  // one of a later generation.
  virtual absl::StatusOr<std::string> PutKey(const AttemptKey& key,
                                             const std::optional<RoleDecision>& decision,
                                             Durability durability = Durability::kAtOnce) = 0;
  // Those about attempts below a scope, newest first.
  virtual absl::StatusOr<std::vector<RoleDecision>> Decisions(const std::string& scope,
                                                              int limit) = 0;
  virtual absl::StatusOr<std::optional<AttemptKey>> FindKey(const std::string& hash) = 0;
  // Removes the keys of an attempt and returns their hashes. No key is put for it afterwards.
  virtual absl::StatusOr<std::vector<std::string>> RemoveKeys(
      const std::string& attempt, Durability durability = Durability::kAtOnce) = 0;

  // What is dropped: replies of calls that ended, and keys and approvals that expired, before
  // `replies_before`; calls that ended, decisions made and attempts revoked before
  // `calls_before`; the oldest calls beyond `calls_max`. Calls that are owed to the ledger, or
  // count for a key that lives, stay.
  struct Retention {
    absl::Time replies_before;
    absl::Time calls_before;
    int64_t calls_max = 0;
  };
  // Drops a part, so that calls that begin meanwhile do not wait for long; returns how many calls.
  // It is to be asked again until that is none.
  virtual absl::StatusOr<int> Prune(const Retention& retention) = 0;
};

}  // namespace slipway::models
