#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "services/models/domain/gate.h"
#include "services/models/domain/route.h"
#include "services/models/domain/store.h"

namespace slipway::models {

// Who is not asked at the moment. Durable: a restart forgets nothing, except CONFIG gates, because
// a restart is how configuration changes. Thread-safe; blocks on disk where it changes something.
class GateKeeper final {
 public:
  static absl::StatusOr<std::unique_ptr<GateKeeper>> Load(Store& store, base::Clock& clock);

  // The gate that keeps calls from a route; absent when none does. One whose time has come does
  // not. Times are measured from the moment that this process learned of a gate, whatever the wall
  // clock does since, and given by what that says now.
  std::optional<Gate> ClosedFor(const Route& route) const;

  // Takes part in a call on a route, until Leave. After a gate has opened by itself its calls come
  // back in a trickle: one at first, then twice as many with each that is served. Returns what
  // holds this one back; then there is nothing to leave.
  std::optional<Gate> Enter(const Route& route);
  void Leave(const Route& route, bool served);

  // How long to leave a gate closed for which the provider named no time: twice as long each time,
  // until a call is served.
  absl::Duration Backoff(const std::string& name);

  // Closes a gate. One that only a person can open, or that opens later, stays as it is.
  absl::Status Close(const Gate& gate);

  // Opens a gate before its time. Fails with GateUnknown.
  absl::Status Open(const std::string& name);

  // Opens every gate whose time has come, and says how soon the next one's will.
  absl::StatusOr<absl::Duration> OpenDue();

  std::vector<Gate> All() const;

 private:
  GateKeeper(Store& store, base::Clock& clock) : store_(store), clock_(clock) {}

  struct Trickle {
    int allowed = 1;
    int running = 0;
  };

  struct Known {
    Gate gate;
    absl::Duration end;  // Of Elapsed(); infinite when only a person can open it.
  };

  Known Know(const Gate& gate) const;
  bool IsClosed(const Known& known) const { return known.end > clock_.Elapsed(); }
  // The gate, with its end by the wall clock as that is set now.
  Gate AsOfNow(const Known& known) const;
  absl::Status Remove(const std::string& name, bool by_itself);

  Store& store_;
  base::Clock& clock_;
  base::Mutex change_mutex_;  // One change at a time, so that store and memory agree.
  mutable base::Mutex mutex_;
  std::map<std::string, Known> gates_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Trickle> trickles_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> strikes_ ABSL_GUARDED_BY(mutex_);
};

std::string ProviderGateName(absl::string_view provider);
std::string ModelGateName(absl::string_view provider, absl::string_view model);

// The gate of the limits that a route's calls share: those of a model, of a family of models where
// limits pool, and of the flex tier apart, which is refused while the others are served.
std::string LimitGateName(const Route& route);

// The error for a call that `gate` keeps out.
absl::Status GateError(const Gate& gate, absl::Time now);

}  // namespace slipway::models
