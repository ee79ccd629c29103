#include "services/ledger/domain/journal.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"

namespace slipway::ledger {

JournalEntry Journal::Next(absl::Time time, absl::string_view operation, const std::string& key,
                           const Reservation* reservation, const std::vector<Posting>& postings,
                           nlohmann::json facts) {
  // Made by hand: it is most of what a decision costs.
  std::string body = "{";
  if (!facts.empty()) {
    const std::string text = facts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    absl::StrAppend(&body, text.substr(1, text.size() - 2), ",");
  }
  absl::StrAppend(&body, "\"postings\":[");
  const char* separator = "[\"";
  for (const Posting& posting : postings) {
    absl::StrAppend(&body, separator, posting.budget, "\",",
                    absl::ToUnixMicros(posting.window_start), ",", posting.posted);
    absl::StrAppend(&body, ",", posting.reserved, ",", posting.overage);
    if (posting.limit.has_value()) absl::StrAppend(&body, ",", *posting.limit);
    separator = "],[\"";
  }
  body.append(postings.empty() ? "]" : "]]");
  if (reservation != nullptr) {
    absl::StrAppend(&body, ",\"settled\":[", reservation->settled.usd_nanos, ",",
                    reservation->settled.tokens, ",", reservation->settled.requests);
    absl::StrAppend(&body, "],\"state\":\"", NameOf(reservation->state), "\"");
  }
  body.push_back('}');
  JournalEntry entry = {.sequence = ++sequence_,
                        .time = time,
                        .operation = std::string(operation),
                        .key = key,
                        .body = std::move(body)};
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
