#include "services/ledger/storage/journal_replay.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/ledger/domain/journal.h"
#include "services/ledger/domain/journal_facts.h"
#include "services/ledger/storage/rows.h"

namespace slipway::ledger {
namespace {

using nlohmann::json;
using sqlite::Row;
using sqlite::Sql;

constexpr Sql kSelectJournal =
    "SELECT " SLIPWAY_LEDGER_JOURNAL_COLUMNS " FROM journal ORDER BY sequence";
constexpr Sql kSelectAllPrices = "SELECT " SLIPWAY_LEDGER_PRICE_COLUMNS " FROM price ORDER BY id";
constexpr Sql kSelectFrozenScopes = "SELECT scope FROM frozen_scope ORDER BY scope";

std::optional<int64_t> IntegerAt(const json& line, size_t index) {
  if (index >= line.size() || !line[index].is_number_integer()) return std::nullopt;
  return line[index].get<int64_t>();
}

// Three integers, or nothing.
std::optional<Amounts> AmountsIn(const json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end() || !found->is_array() || found->size() != 3) return std::nullopt;
  Amounts amounts;
  for (size_t i = 0; i < kMetrics.size(); ++i) {
    const std::optional<int64_t> amount = IntegerAt(*found, i);
    if (!amount.has_value()) return std::nullopt;
    amounts.Of(kMetrics[i]) = *amount;
  }
  return amounts;
}

// The postings of one line: of many budgets that changed alike, or, in older entries, of one, whose
// id may be longer than today's, which are the beginnings of those.
bool ReadPostings(const json& line, std::vector<Posting>& postings) {
  if (!line.is_array() || line.empty()) return false;
  const bool one = line[0].is_string();
  const size_t numbers = one ? 1 : 0;
  std::optional<int64_t> values[4];  // Window, posted, reserved, overage.
  for (size_t i = 0; i < 4; ++i) {
    values[i] = IntegerAt(line, numbers + i);
    if (!values[i].has_value()) return false;
  }
  const Posting posting = {.window_start = absl::FromUnixMicros(*values[0]),
                           .posted = *values[1],
                           .reserved = *values[2],
                           .overage = *values[3],
                           .limit = IntegerAt(line, numbers + 4)};
  const size_t first = one ? 0 : 5;
  const size_t end = one ? 1 : line.size();
  for (size_t i = first; i < end; ++i) {
    if (!line[i].is_string()) return false;
    postings.push_back(posting);
    postings.back().budget = line[i].get<std::string>().substr(0, kBudgetIdBytes);
  }
  return !postings.empty();
}

std::optional<ReservationState> StateOf(const std::string& name) {
  for (int state = 1; state <= 6; ++state) {
    const auto candidate = static_cast<ReservationState>(state);
    if (name == NameOf(candidate)) return candidate;
  }
  return std::nullopt;
}

}  // namespace

void ReservationStates::End(const std::string& key, ReservationState state,
                            const Amounts& settled) {
  ++ended_by_state[static_cast<int>(state)];
  ended.Add(key, 0, static_cast<int64_t>(state));
  for (const Metric metric : kMetrics) ended.Add(key, static_cast<int>(metric), settled.Of(metric));
}

absl::Status JournalReplay::Run(sqlite::Reader& reader) {
  return reader.ForEach(kSelectJournal, [this](const Row& row) {
    Replay(ReadJournalEntry(row));
    return rows_.Next();
  });
}

void JournalReplay::Breach(AuditCheck& check, const JournalEntry& entry,
                           absl::string_view problem) {
  AddBreach(check, absl::StrCat("entry ", entry.sequence, ": ", problem));
}

void JournalReplay::Replay(const JournalEntry& entry) {
  ++chain_.checked;
  ++time_check_.checked;
  if (entry.sequence != ++sequence_) Breach(chain_, entry, "a gap before it");
  sequence_ = entry.sequence;
  if (entry.digest != Journal::DigestOf(entry, digest_)) {
    Breach(chain_, entry, "its digest does not match");
  }
  digest_ = entry.digest;
  if (entry.time < last_time_) Breach(time_check_, entry, "is before the entry before it");
  last_time_ = std::max(last_time_, entry.time);
  const json body = json::parse(entry.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object() || !body.contains("postings") || !body["postings"].is_array()) {
    return Breach(chain_, entry, "unreadable");
  }
  for (const json& line : body["postings"]) ReplayLine(entry, line);
  if (body.contains("state")) ReplayState(entry, body);
  ReplayFacts(entry, body);
}

void JournalReplay::ReplayLine(const JournalEntry& entry, const json& line) {
  std::vector<Posting> postings;
  if (!ReadPostings(line, postings)) return Breach(chain_, entry, "unreadable");
  for (const Posting& posting : postings) ReplayPosting(entry, posting);
}

void JournalReplay::ReplayPosting(const JournalEntry& entry, const Posting& posting) {
  BucketSums* const bucket =
      sums_.Find(sums_.BudgetOf(posting.budget), absl::ToUnixMicros(posting.window_start));
  if (bucket == nullptr) {
    return Breach(chain_, entry,
                  absl::StrCat("the bucket of budget ", posting.budget, " is missing"));
  }
  bucket->replayed_posted += posting.posted;
  bucket->replayed_reserved += posting.reserved;
  bucket->replayed_overage += posting.overage;
  if (!posting.limit.has_value()) return;  // No grant, or no limit.
  ++within_limits_.checked;
  if (bucket->replayed_posted + bucket->replayed_reserved > *posting.limit) {
    Breach(within_limits_, entry, absl::StrCat(entry.key, " on ", posting.budget));
  }
  if (*posting.limit > 0) return;
  ++zero_limits_.checked;
  Breach(zero_limits_, entry, absl::StrCat(entry.key, " on ", posting.budget));
}

void JournalReplay::ReplayState(const JournalEntry& entry, const json& body) {
  const std::optional<ReservationState> state =
      body["state"].is_string() ? StateOf(body["state"].get<std::string>()) : std::nullopt;
  const std::optional<Amounts> settled = AmountsIn(body, "settled");
  if (!state.has_value() || !settled.has_value()) return Breach(chain_, entry, "unreadable");
  ++ends_.checked;
  if (entry.operation == "reserve" || entry.operation == "deny") {
    ++states_.decided;
    if (*state == ReservationState::kDenied) return states_.End(entry.key, *state, *settled);
    if (!states_.open.insert(entry.key).second) Breach(ends_, entry, entry.key + " is held twice");
    return;
  }
  if (entry.operation == "adjust" || entry.operation == "settle_late") {
    // What it was before is in the fingerprint; it changes by what the entry tells.
    const std::optional<Amounts> delta = AmountsIn(body, "delta");
    if (!delta.has_value()) return Breach(chain_, entry, "unreadable");
    if (states_.open.contains(entry.key)) Breach(ends_, entry, entry.key + " had not ended");
    for (const Metric metric : kMetrics) {
      states_.ended.Add(entry.key, static_cast<int>(metric), delta->Of(metric));
    }
    if (entry.operation == "adjust") return;
    const int before = static_cast<int>(ReservationState::kExpiredCharged);
    --states_.ended_by_state[before];
    ++states_.ended_by_state[static_cast<int>(*state)];
    return states_.ended.Add(entry.key, 0, static_cast<int64_t>(*state) - before);
  }
  if (!states_.open.contains(entry.key)) {
    return Breach(ends_, entry, absl::StrCat(entry.key, " was not open before: ", NameOf(*state)));
  }
  if (*state == ReservationState::kHeld) return;
  states_.open.erase(entry.key);
  states_.End(entry.key, *state, *settled);
}

void JournalReplay::ReplayFacts(const JournalEntry& entry, const json& body) {
  if (body.contains("budget"))
    budgets_[entry.key.substr(0, kBudgetIdBytes)] = body["budget"].dump();
  if (body.contains("prices") && body["prices"].is_array()) {
    for (const json& price : body["prices"]) {
      const std::optional<int64_t> id = IntegerAt(price, 0);
      if (id.has_value()) prices_[*id] = price.dump();
    }
  }
  if (!body.contains("frozen")) return;
  if (body["frozen"] == true) {
    frozen_.insert(entry.key);
  } else {
    frozen_.erase(entry.key);
  }
}

absl::Status JournalReplay::CompareTables(sqlite::Reader& reader) {
  for (const Budget& budget : sums_.budgets()) {
    ++chain_.checked;
    // What the program that wrote the first entries did not tell of cannot be compared.
    const auto found = budgets_.find(budget.id);
    if (found != budgets_.end() && found->second != BudgetFacts(budget)["budget"].dump()) {
      AddBreach(chain_, absl::StrCat("budget ", budget.id, ": replays to ", found->second));
    }
  }
  for (const auto& [id, facts] : budgets_) {
    if (sums_.BudgetOf(id) < 0) AddBreach(chain_, absl::StrCat("budget ", id, ": is missing"));
  }
  RETURN_IF_ERROR(reader.ForEach(kSelectAllPrices, [&](const Row& row) {
    const Price price = ReadPrice(row);
    ++chain_.checked;
    const auto replayed = prices_.extract(price.id);
    if (!replayed.empty() && replayed.mapped() != PriceFacts({price})["prices"][0].dump()) {
      AddBreach(chain_, absl::StrCat("price ", price.id, ": replays to ", replayed.mapped()));
    }
  }));
  for (const auto& [id, facts] : prices_) {
    AddBreach(chain_, absl::StrCat("price ", id, ": is missing"));
  }
  RETURN_IF_ERROR(reader.ForEach(kSelectFrozenScopes, [&](const Row& row) {
    ++chain_.checked;
    if (frozen_.erase(row.Text(0)) == 0) {
      AddBreach(chain_, absl::StrCat("scope ", row.Text(0), ": nobody froze it"));
    }
  }));
  for (const std::string& scope : frozen_) {
    AddBreach(chain_, absl::StrCat("scope ", scope, ": is frozen in the journal alone"));
  }
  return absl::OkStatus();
}

}  // namespace slipway::ledger
