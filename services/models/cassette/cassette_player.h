#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "lib/base/mutex.h"
#include "services/models/cassette/cassette.h"
#include "services/models/cassette/redaction.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// Chooses which recorded call answers a call. Those of the same intent, task, role and dialect are
// played in the order in which they were recorded, except that one which was asked the same goes
// before. A call that asks again what was answered already, as after a crash, gets the same answer
// again; a repeat of the same call always does. Each plan that plays starts at the beginning.
// Thread-safe.
class CassettePlayer final {
 public:
  explicit CassettePlayer(Cassette cassette);

  // Which entry `call` is answered with; absent when none fits.
  std::optional<size_t> Choose(const ProviderCall& call);
  // `call` of `plan` was answered with that entry before this process began.
  void Restore(const std::string& plan, const std::string& call, size_t entry);

  const CassetteEntry& entry(size_t index) const { return cassette_.entries()[index]; }
  size_t size() const { return cassette_.entries().size(); }

  // Why nothing fits, for a person.
  std::string Missing(const ProviderCall& call) const;

 private:
  // Intent, task's id, role, dialect.
  using Key = std::tuple<std::string, std::string, std::string, std::string>;
  struct Progress {
    std::map<std::string, size_t> by_call;
    std::set<size_t> played;
  };

  static Key KeyOf(const std::string& intent, const Scopes& scopes, const std::string& role,
                   const std::optional<Dialect>& dialect, bool stream);
  static Key KeyOf(const ProviderCall& call);

  const Cassette cassette_;
  const Redactor redactor_;
  std::map<Key, std::vector<size_t>> entries_;
  mutable base::Mutex mutex_;
  std::map<std::string, Progress> progress_ ABSL_GUARDED_BY(mutex_);  // By plan.
};

}  // namespace slipway::models
