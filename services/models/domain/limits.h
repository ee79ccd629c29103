#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace slipway::models {

// Calls under way at once, unless configured: each takes two descriptors and some tens of
// kilobytes, 64 KiB more for an agent that reads slowly. Further ones are refused.
inline constexpr int kCallsMaxDefault = 2'000;
inline constexpr int kCallsMaxMax = 20'000;

// A request that is read and rewritten where it arrives: at some 5 us for each KiB, it keeps the
// others of that thread waiting no longer than a thread of their own would take to wake.
inline constexpr size_t kQuickRequestBytes = 32u << 10;

// Threads for calls that begin, and for calls that end: these wait for the ledger and the disk, so
// that at 5 ms each they carry several thousand calls a second. A reply under way has no thread.
inline constexpr int kBeginningThreads = 48;
inline constexpr int kEndingThreads = 24;

// Threads of each endpoint's HTTP client: pieces of many streams that come at once are passed on by
// two, as fast as one thread of an endpoint sends them.
inline constexpr int kEndpointThreads = 2;

// The ledger allows 200 characters for a reservation's key; a try adds a few.
inline constexpr size_t kCallIdBytesMax = 180;

// A conversation, all its text together: below gRPC's and the proxy's limits of a message.
inline constexpr size_t kPromptBytesMax = 6u << 20;
inline constexpr size_t kMessagesMax = 2'000;

// A reply, far above what the largest output limit of any model amounts to. It bounds what a call
// holds in memory, also for a reader that reads nothing.
inline constexpr size_t kReplyBytesMax = 4u << 20;

// The same of a reply that is passed on in its dialect, where each word of text comes in an object
// of some 300 bytes.
inline constexpr size_t kWireReplyBytesMax = 128u << 20;
// A reply that comes as one JSON text is held until it is whole.
inline constexpr size_t kWireBodyBytesMax = 16u << 20;
// What waits for a slow agent, whose provider is then not read. A few hundred words ahead are
// enough to keep it busy.
inline constexpr size_t kReplyBufferBytes = 64u << 10;

// Tokens per message besides its text: speaker, separators, the primer of the reply. Published
// figures are 3 to 7.
inline constexpr int64_t kTokensPerMessage = 16;
// Beside the tools' own text: what some models are told about tools is some 700.
inline constexpr int64_t kTokensForTools = 1'024;
// The largest picture counts some 10,000 tokens, however few bytes it has.
inline constexpr int64_t kTokensPerImage = 16'384;

// What was seen of a model's input says something after so many calls, and what was the worst of
// them may be exceeded by this much.
inline constexpr int64_t kCalibrationCallsMin = 50;
inline constexpr int64_t kCalibrationMarginPerMille = 250;

// The least output that is worth a call: when money or tokens buy less, the call is refused instead
// of cut off.
inline constexpr int64_t kOutputTokensMin = 256;

inline constexpr int64_t kInputTokensDefault = 100'000;
inline constexpr int64_t kOutputTokensDefault = 16'000;
inline constexpr absl::Duration kCallTimeoutDefault = absl::Minutes(15);
inline constexpr absl::Duration kCallTimeoutMax = absl::Hours(23);

// A hold outlives its call by this much, so that only a dead instance's holds ever expire.
inline constexpr absl::Duration kHoldSlack = absl::Minutes(10);

// Tries of one call over all routes: the only retry layer.
inline constexpr int kTriesMax = 4;
inline constexpr int kTriesPerRoute = 2;
inline constexpr absl::Duration kRetryDelay = absl::Milliseconds(250);

// Gates without a time from the provider.
inline constexpr absl::Duration kGateWaitDefault = absl::Seconds(5);
inline constexpr absl::Duration kGateBackoffMax = absl::Minutes(5);
// A subscription's window is a week at most, a spend limit's a month.
inline constexpr absl::Duration kGateWaitMax = absl::Hours(32 * 24);
// After a gate has opened: beyond this many calls at once it counts as open.
inline constexpr int kTrickleMax = 32;
inline constexpr absl::Duration kTrickleWait = absl::Seconds(1);
inline constexpr absl::Duration kGateRecheck = absl::Minutes(10);  // Only a person opens it.

// What a caller should wait when calls of its own budget hold the money.
inline constexpr absl::Duration kBusyRetryDefault = absl::Seconds(5);

inline constexpr absl::Duration kKeyLifetimeMax = absl::Hours(24);
inline constexpr int kKeyRolesMax = 32;
// In one call: the dispatcher decides no more at once.
inline constexpr int kKeyChangesMax = 256;
// Keys kept in memory, of attempts that run: each some hundred bytes.
inline constexpr size_t kKeysKnownMax = 10'000;

// How long the ledger's rates are used without asking again. A call lasts longer: a price that
// changes meanwhile is the price at which it is settled, whatever was held.
inline constexpr absl::Duration kRatesAgeMax = absl::Seconds(2);

// How long a ledger may take while a caller waits; the rest is settled later.
inline constexpr absl::Duration kLedgerTimeout = absl::Seconds(5);

// A reserve that timed out may still arrive; its release is repeated for as long.
inline constexpr absl::Duration kReserveInFlightMax = absl::Seconds(30);

// Between looks at the health of endpoints.
inline constexpr absl::Duration kHealthIntervalDefault = absl::Minutes(5);

inline constexpr int kApprovedCallsMax = 1'000;

inline constexpr int kOwedBatch = 100;

inline constexpr int kPageSizeDefault = 100;
inline constexpr int kPageSizeMax = 1'000;

// Of a cassette. An entry's request is left out when both together are longer: the reply is what is
// played. A plan of hundreds of tasks makes some thousand calls.
inline constexpr size_t kCassetteEntryBytesMax = 2u << 20;
inline constexpr int64_t kCassetteEntriesMax = 50'000;
inline constexpr int64_t kCassetteBytesDefault = 64ll << 20;
inline constexpr int64_t kCassetteBytesMax = 1ll << 30;
inline constexpr int64_t kCassettesBytesDefault = 1ll << 30;  // All together.
inline constexpr absl::Duration kCassetteRetentionDefault = absl::Hours(30 * 24);
// A file is read whole; what is known besides of each call makes it a little longer.
inline constexpr size_t kCassetteFileBytesMax =
    static_cast<size_t>(kCassetteBytesMax) + (64u << 20);
// Entries that wait for the disk; beyond, the thread that brings one waits itself.
inline constexpr int kRecordsWaitingMax = 256;
inline constexpr int kCassettesListed = 1'000;
// Below gRPC's limit of a message with the longest entry.
inline constexpr size_t kCassettePageBytes = 1u << 20;
inline constexpr int kCassettePageEntries = 100;

// Calls are kept this long after their end, and so many at most; those under way or owed to the
// ledger are always kept. A page of an index for each 20 of them: a million are some 500 MB.
inline constexpr absl::Duration kCallRetentionDefault = absl::Hours(90 * 24);
inline constexpr int64_t kCallsKeptDefault = 1'000'000;
inline constexpr absl::Duration kCallRetentionMin = absl::Hours(48);  // Twice a key's life.
inline constexpr int64_t kCallsKeptMin = 1'000;
inline constexpr int kPruneBatch = 2'000;  // Calls a transaction: it holds up those that begin.

// Replies are kept this long for callers that repeat a call.
inline constexpr absl::Duration kReplyRetention = absl::Hours(7 * 24);

}  // namespace slipway::models
