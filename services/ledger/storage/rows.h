#pragma once

#include "absl/status/statusor.h"
#include "lib/sqlite/row.h"
#include "lib/sqlite/sql.h"
#include "services/ledger/domain/budget.h"
#include "services/ledger/domain/changes.h"
#include "services/ledger/domain/price_book.h"
#include "services/ledger/domain/reservation.h"
#include "services/ledger/domain/usage.h"

// Rows of the ledger's tables as values. Each function reads the columns of the list above it.
namespace slipway::ledger {

#define SLIPWAY_LEDGER_BUDGET_COLUMNS \
  "id,scope,metric,budget_window,time_zone,spend_limit,version,frozen,warn_percents,since_us"
absl::StatusOr<Budget> ReadBudget(const sqlite::Row& row);
std::string WarnPercentsText(const Budget& budget);

#define SLIPWAY_LEDGER_BUCKET_COLUMNS \
  "budget,window_start_us,posted,reserved,overage,seeded,warned,frozen"
Bucket ReadBucket(const sqlite::Row& row);

#define SLIPWAY_LEDGER_RESERVATION_COLUMNS                                                 \
  "sequence,key,kind,state,project,plan,task,attempt,role,envelope,owner,provider,model,"  \
  "service_tier,lifetime_us,asked_usd,asked_tokens,asked_requests,least_usd,least_tokens," \
  "least_requests,held_usd,held_tokens,held_requests,settled_usd,settled_tokens,"          \
  "settled_requests,charge_time_us,expire_time_us,denial,end_digest,drawing,owner_epoch,"  \
  "leg_list"
absl::StatusOr<Reservation> ReadReservation(const sqlite::Row& row);

// Legs as they are kept in their reservation: [["b1",0,1,500,0],..], which are budget, start of the
// window, metric, amount and posted. As a table they are SLIPWAY_LEDGER_LEGS. Decode fails with
// INTERNAL (STORED_FORM_INVALID).
#define SLIPWAY_LEDGER_LEGS                                                                 \
  "(SELECT r.key AS reservation,r.state,r.charge_time_us,json_extract(l.value,'$[0]') AS"   \
  " budget,json_extract(l.value,'$[1]') AS window_start_us,json_extract(l.value,'$[3]') AS" \
  " amount,json_extract(l.value,'$[4]') AS posted FROM reservation r,json_each(r.leg_list) l)"
std::string EncodeLegs(const std::vector<Leg>& legs);
absl::StatusOr<std::vector<Leg>> DecodeLegs(const std::string& text);

#define SLIPWAY_LEDGER_USAGE_COLUMNS                                                            \
  "sequence,reservation,record_time_us,charge_time_us,project,plan,task,attempt,role,provider," \
  "model,service_tier,input,cache_read,cache_write,cache_write_long,output,reasoning,searches," \
  "charged_usd,charged_tokens,charged_requests,first_cost,basis,provider_request_id,price"
UsageRecord ReadUsage(const sqlite::Row& row);

#define SLIPWAY_LEDGER_PRICE_COLUMNS                                                    \
  "id,provider,model,service_tier,effective_us,threshold,input,cache_read,cache_write," \
  "cache_write_long,output,search,source"
Price ReadPrice(const sqlite::Row& row);

#define SLIPWAY_LEDGER_FROZEN_COLUMNS "scope,reason,actor,freeze_time_us"
FrozenScope ReadFrozenScope(const sqlite::Row& row);

#define SLIPWAY_LEDGER_JOURNAL_COLUMNS "sequence,time_us,operation,key,body,digest"
JournalEntry ReadJournalEntry(const sqlite::Row& row);

}  // namespace slipway::ledger
