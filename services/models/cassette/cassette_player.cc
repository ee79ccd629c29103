#include "services/models/cassette/cassette_player.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/models/domain/wire_request.h"

namespace slipway::models {
namespace {

std::string LastId(const std::string& name) { return name.substr(name.rfind('/') + 1); }

std::string DigestOfCall(const ProviderCall& call, const Redactor& redactor) {
  CassetteEntry asked = {
      .scopes = call.scopes, .messages = call.messages, .response_schema = call.response_schema};
  if (call.wire != nullptr) {
    asked.dialect = call.wire->dialect;
    asked.body = call.wire->body;
  }
  return redactor.DigestOf(asked);
}

}  // namespace

CassettePlayer::CassettePlayer(Cassette cassette) : cassette_(std::move(cassette)) {
  for (size_t i = 0; i < cassette_.entries().size(); ++i) {
    const CassetteEntry& entry = cassette_.entries()[i];
    entries_[KeyOf(entry.intent, entry.scopes, entry.scopes.role, entry.dialect, entry.stream)]
        .push_back(i);
  }
}

CassettePlayer::Key CassettePlayer::KeyOf(const std::string& intent, const Scopes& scopes,
                                          const std::string& role,
                                          const std::optional<Dialect>& dialect, bool stream) {
  const std::string form =
      dialect.has_value() ? absl::StrCat(DialectName(*dialect), stream ? " stream" : "") : "";
  return {intent, LastId(scopes.task), role, form};
}

CassettePlayer::Key CassettePlayer::KeyOf(const ProviderCall& call) {
  const bool wire = call.wire != nullptr;
  return KeyOf(call.intent, call.scopes, call.role,
               wire ? std::make_optional(call.wire->dialect) : std::nullopt,
               wire && call.wire->stream);
}

void CassettePlayer::Restore(const std::string& plan, const std::string& call, size_t entry) {
  if (entry >= size()) return;  // Of another cassette.
  base::MutexLock lock(mutex_);
  Progress& progress = progress_[plan];
  progress.by_call[call] = entry;
  progress.played.insert(entry);
}

std::optional<size_t> CassettePlayer::Choose(const ProviderCall& call) {
  const auto found = entries_.find(KeyOf(call));
  if (found == entries_.end()) return std::nullopt;
  const std::string digest = DigestOfCall(call, redactor_);
  base::MutexLock lock(mutex_);
  Progress& progress = progress_[call.scopes.plan];
  const auto before = progress.by_call.find(call.id);
  if (before != progress.by_call.end()) return before->second;
  const auto played = [&](size_t index) { return progress.played.count(index) > 0; };
  const auto same = [&](size_t index) { return entry(index).prompt_digest == digest; };
  const std::vector<size_t>& indices = found->second;
  auto chosen =
      std::find_if(indices.begin(), indices.end(), [&](size_t i) { return !played(i) && same(i); });
  if (chosen == indices.end()) {
    const auto again = std::find_if(indices.rbegin(), indices.rend(),
                                    [&](size_t i) { return played(i) && same(i); });
    if (again != indices.rend()) chosen = again.base() - 1;
  }
  if (chosen == indices.end()) {
    chosen = std::find_if(indices.begin(), indices.end(), [&](size_t i) { return !played(i); });
  }
  if (chosen == indices.end()) return std::nullopt;
  progress.by_call[call.id] = *chosen;
  progress.played.insert(*chosen);
  return *chosen;
}

std::string CassettePlayer::Missing(const ProviderCall& call) const {
  const Key key = KeyOf(call);
  const auto found = entries_.find(key);
  const size_t recorded = found == entries_.end() ? 0 : found->second.size();
  const std::string& form = std::get<3>(key);
  return absl::StrCat("the cassette has ", recorded, recorded == 1 ? " call" : " calls",
                      " of intent \"", call.intent, "\", task \"", LastId(call.scopes.task),
                      "\", role \"", call.role, "\"", form.empty() ? "" : " in dialect ", form,
                      ", and this is one more: record the plan again");
}

}  // namespace slipway::models
