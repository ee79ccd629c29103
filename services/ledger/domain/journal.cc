#include "services/ledger/domain/journal.h"

#include <nlohmann/json.hpp>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"

namespace slipway::ledger {
namespace {

// Of most entries.
constexpr size_t kBodyBytes = 512;

bool SameButBudget(const Posting& a, const Posting& b) {
  return a.window_start == b.window_start && a.posted == b.posted && a.reserved == b.reserved &&
         a.overage == b.overage && a.limit == b.limit;
}

// A call changes the buckets of a window alike: each change is told once, with its budgets, as
// [window, posted, reserved, overage, limit or null, "budget", ..].
void AppendPostings(std::string& body, absl::Span<const Posting> postings) {
  absl::StrAppend(&body, "\"postings\":[");
  absl::InlinedVector<bool, 32> told(postings.size());
  const char* separator = "[";
  for (size_t i = 0; i < postings.size(); ++i) {
    if (told[i]) continue;
    const Posting& first = postings[i];
    absl::StrAppend(&body, separator, absl::ToUnixMicros(first.window_start), ",", first.posted,
                    ",", first.reserved);
    absl::StrAppend(&body, ",", first.overage, ",");
    if (first.limit.has_value()) {
      absl::StrAppend(&body, *first.limit);
    } else {
      body.append("null");
    }
    for (size_t j = i; j < postings.size(); ++j) {
      if (told[j] || !SameButBudget(first, postings[j])) continue;
      absl::StrAppend(&body, ",\"", postings[j].budget, "\"");
      told[j] = true;
    }
    body.push_back(']');
    separator = ",[";
  }
  body.push_back(']');
}

}  // namespace

JournalEntry Journal::Next(absl::Time time, absl::string_view operation, const std::string& key,
                           const Reservation* reservation, absl::Span<const Posting> postings,
                           nlohmann::json facts) {
  // Made by hand: it is most of what a decision costs.
  std::string body = "{";
  body.reserve(kBodyBytes);
  if (!facts.empty()) {
    const std::string text = facts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    absl::StrAppend(&body, text.substr(1, text.size() - 2), ",");
  }
  AppendPostings(body, postings);
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
