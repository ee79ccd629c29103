#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "services/models/domain/call.h"
#include "services/models/domain/dialect.h"
#include "services/models/domain/provider.h"

namespace slipway::models {

// One try of a call as it went: what was asked, what came back, how long it took and what the
// provider said it billed. Credentials are taken out before one is kept.
struct CassetteEntry {
  std::string call;  // Id of the try.
  absl::Time start_time;
  Scopes scopes;  // With the role.
  std::string intent;
  std::string provider;
  std::string model;
  std::string service_tier;
  std::string reasoning_effort;
  int64_t output_tokens_max = 0;

  // A conversation of the suite's own, or a request that was passed on in its dialect.
  std::vector<Message> messages;
  std::string response_schema;
  std::optional<Dialect> dialect;
  bool stream = false;
  std::string body;
  bool request_omitted = false;  // It was too large to keep.
  std::string prompt_digest;     // SHA-256 of what was asked; the same where the same was asked.

  // Text, or the bytes of a reply in its dialect. Where a credential is scattered over the frames
  // of a stream, the text alone is kept.
  std::string reply;
  bool text_only = false;
  ProviderResult result;
  std::optional<absl::Duration> first_text_after;
  absl::Duration latency;
  int redactions = 0;

  // What the record of the call knows besides, where it is known: what was billed, also where only
  // the provider's books told, and what the ledger charged.
  std::optional<TokenCounts> billed;
  std::optional<int64_t> cost_usd_nanos;
};

// One line of a cassette, without its end. Text that is not UTF-8 is made so.
std::string EntryToJson(const CassetteEntry& entry);

// Fails with ConfigInvalid, which says what is wrong.
absl::StatusOr<CassetteEntry> EntryFromJson(absl::string_view line);

// The first line of a cassette: what it holds.
struct CassetteHeader {
  std::string plan;
  int64_t entries = 0;
  int64_t dropped = 0;  // Calls that were not kept, because a limit was reached.
};
std::string HeaderToJson(const CassetteHeader& header);
absl::StatusOr<CassetteHeader> HeaderFromJson(absl::string_view line);

}  // namespace slipway::models
