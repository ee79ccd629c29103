#include "services/ledger/domain/journal.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"

namespace slipway::ledger {

JournalEntry Journal::Next(absl::Time time, absl::string_view operation, const std::string& key,
                           const Reservation* reservation, const std::vector<Posting>& postings,
                           nlohmann::json facts) {
  nlohmann::json body = std::move(facts);
  if (reservation != nullptr) {
    body["state"] = NameOf(reservation->state);
    body["settled"] = {reservation->settled.usd_nanos, reservation->settled.tokens,
                       reservation->settled.requests};
  }
  nlohmann::json lines = nlohmann::json::array();
  for (const Posting& posting : postings) {
    nlohmann::json line = {posting.budget, absl::ToUnixMicros(posting.window_start), posting.posted,
                           posting.reserved, posting.overage};
    if (posting.limit.has_value()) line.push_back(*posting.limit);
    lines.push_back(std::move(line));
  }
  body["postings"] = std::move(lines);
  JournalEntry entry = {
      .sequence = ++sequence_,
      .time = time,
      .operation = std::string(operation),
      .key = key,
      .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  entry.digest = DigestOf(entry, digest_);
  digest_ = entry.digest;
  return entry;
}

std::string Journal::DigestOf(const JournalEntry& entry, const std::string& previous) {
  return base::Sha256Hex(absl::StrCat(previous, "\n", entry.sequence, "\n",
                                      absl::ToUnixMicros(entry.time), "\n", entry.operation, "\n",
                                      entry.key, "\n", entry.body));
}

}  // namespace slipway::ledger
