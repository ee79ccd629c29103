#pragma once

#include "lib/events/event_log.h"
#include "lib/sqlite/migration.h"
#include "lib/sqlite/sql.h"
#include "services/ledger/storage/rows.h"

namespace slipway::ledger {

// Times are microseconds, amounts units of their metric. Window starts of TOTAL are 0. Texts that
// do not apply are empty, so that groups and filters need no special case.
inline constexpr sqlite::Sql kLedgerSchema =
    "CREATE TABLE budget("
    " id TEXT PRIMARY KEY NOT NULL, scope TEXT NOT NULL,"
    " metric INTEGER NOT NULL CHECK(metric BETWEEN 1 AND 3),"
    " budget_window INTEGER NOT NULL CHECK(budget_window BETWEEN 1 AND 3),"
    " time_zone TEXT NOT NULL, spend_limit INTEGER CHECK(spend_limit>=0),"  // NULL: removed.
    " version INTEGER NOT NULL CHECK(version>0), frozen INTEGER NOT NULL CHECK(frozen IN (0,1)),"
    " warn_percents TEXT NOT NULL, since_us INTEGER NOT NULL,"
    " UNIQUE(scope,metric,budget_window)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE bucket("
    " budget TEXT NOT NULL REFERENCES budget(id), window_start_us INTEGER NOT NULL,"
    " posted INTEGER NOT NULL CHECK(posted>=0), reserved INTEGER NOT NULL CHECK(reserved>=0),"
    " overage INTEGER NOT NULL CHECK(overage>=0), seeded INTEGER NOT NULL CHECK(seeded>=0),"
    " warned INTEGER NOT NULL, frozen INTEGER NOT NULL CHECK(frozen IN (0,1)),"
    " PRIMARY KEY(budget,window_start_us)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE reservation("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,"  // Pages go by it.
    " key TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL CHECK(kind IN (1,2)),"
    " state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 6),"
    " project TEXT NOT NULL, plan TEXT NOT NULL, task TEXT NOT NULL, attempt TEXT NOT NULL,"
    " role TEXT NOT NULL, envelope TEXT NOT NULL, owner TEXT NOT NULL, provider TEXT NOT NULL,"
    " model TEXT NOT NULL, service_tier TEXT NOT NULL, lifetime_us INTEGER NOT NULL,"
    " asked_usd INTEGER NOT NULL, asked_tokens INTEGER NOT NULL, asked_requests INTEGER NOT NULL,"
    " least_usd INTEGER NOT NULL, least_tokens INTEGER NOT NULL, least_requests INTEGER NOT NULL,"
    " held_usd INTEGER NOT NULL CHECK(held_usd>=0),"
    " held_tokens INTEGER NOT NULL CHECK(held_tokens>=0),"
    " held_requests INTEGER NOT NULL CHECK(held_requests>=0),"
    " settled_usd INTEGER NOT NULL CHECK(settled_usd>=0),"
    " settled_tokens INTEGER NOT NULL CHECK(settled_tokens>=0),"
    " settled_requests INTEGER NOT NULL CHECK(settled_requests>=0),"
    " charge_time_us INTEGER NOT NULL, expire_time_us INTEGER NOT NULL,"
    " denial TEXT NOT NULL, end_digest TEXT NOT NULL,"
    " drawing INTEGER NOT NULL CHECK(drawing IN (0,1)),"
    " legs INTEGER NOT NULL CHECK(legs>=0)) STRICT;"  // How many: shows a leg that is missing.
    "CREATE INDEX reservation_held ON reservation(expire_time_us) WHERE state=1;"
    "CREATE TABLE leg("
    " reservation TEXT NOT NULL, budget TEXT NOT NULL, window_start_us INTEGER NOT NULL,"
    " metric INTEGER NOT NULL, amount INTEGER NOT NULL CHECK(amount>=0),"
    " posted INTEGER NOT NULL CHECK(posted>=0),"
    " PRIMARY KEY(reservation,budget,window_start_us)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE usage("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, reservation TEXT NOT NULL UNIQUE,"
    " record_time_us INTEGER NOT NULL, charge_time_us INTEGER NOT NULL,"
    " project TEXT NOT NULL, plan TEXT NOT NULL, task TEXT NOT NULL, attempt TEXT NOT NULL,"
    " role TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,"
    " service_tier TEXT NOT NULL, input INTEGER NOT NULL CHECK(input>=0),"
    " cache_read INTEGER NOT NULL CHECK(cache_read>=0),"
    " cache_write INTEGER NOT NULL CHECK(cache_write>=0),"
    " cache_write_long INTEGER NOT NULL CHECK(cache_write_long>=0),"
    " output INTEGER NOT NULL CHECK(output>=0), reasoning INTEGER NOT NULL CHECK(reasoning>=0),"
    " searches INTEGER NOT NULL CHECK(searches>=0),"
    " charged_usd INTEGER NOT NULL CHECK(charged_usd>=0),"
    " charged_tokens INTEGER NOT NULL CHECK(charged_tokens>=0),"
    " charged_requests INTEGER NOT NULL CHECK(charged_requests>=0),"
    " first_cost INTEGER NOT NULL CHECK(first_cost>=0), basis INTEGER NOT NULL,"
    " provider_request_id TEXT NOT NULL, price INTEGER NOT NULL) STRICT;"
    "CREATE INDEX usage_charged ON usage(project,charge_time_us);"
    "CREATE INDEX usage_recorded ON usage(record_time_us);"
    "CREATE TABLE adjustment("
    " key TEXT PRIMARY KEY NOT NULL, reservation TEXT NOT NULL, time_us INTEGER NOT NULL,"
    " delta_usd INTEGER NOT NULL, evidence TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE rollup("
    " day_us INTEGER NOT NULL, project TEXT NOT NULL, plan TEXT NOT NULL, task TEXT NOT NULL,"
    " attempt TEXT NOT NULL, role TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,"
    " calls INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL,"
    " cache_write INTEGER NOT NULL, cache_write_long INTEGER NOT NULL, output INTEGER NOT NULL,"
    " reasoning INTEGER NOT NULL, searches INTEGER NOT NULL, cost INTEGER NOT NULL,"
    " estimated INTEGER NOT NULL,"
    " PRIMARY KEY(day_us,project,plan,task,attempt,role,provider,model)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE price("
    " id INTEGER PRIMARY KEY NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,"
    " service_tier TEXT NOT NULL, effective_us INTEGER NOT NULL, threshold INTEGER NOT NULL,"
    " input INTEGER NOT NULL, cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL,"
    " cache_write_long INTEGER NOT NULL, output INTEGER NOT NULL, search INTEGER NOT NULL,"
    " source TEXT NOT NULL,"
    " UNIQUE(provider,model,service_tier,effective_us,threshold)) STRICT;"
    "CREATE TABLE stored_reply("
    " request_id TEXT PRIMARY KEY NOT NULL, digest TEXT NOT NULL, body TEXT NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE journal("
    " sequence INTEGER PRIMARY KEY NOT NULL, time_us INTEGER NOT NULL, operation TEXT NOT NULL,"
    " key TEXT NOT NULL, body TEXT NOT NULL, digest TEXT NOT NULL) STRICT;";

// The lives of owners, and scopes that a person froze.
inline constexpr sqlite::Sql kOwnersAndFrozenScopes =
    "ALTER TABLE reservation ADD COLUMN owner_epoch INTEGER NOT NULL DEFAULT 0"
    " CHECK(owner_epoch>=0);"
    "CREATE TABLE owner("
    " owner TEXT PRIMARY KEY NOT NULL, epoch INTEGER NOT NULL CHECK(epoch>0))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE frozen_scope("
    " scope TEXT PRIMARY KEY NOT NULL, reason TEXT NOT NULL, actor TEXT NOT NULL,"
    " freeze_time_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

// Legs move into their reservation: they are written and read together, and fifteen rows for each
// of ten thousand holds a second were most of what the ledger wrote. The
// usage of a call is found by its row, for which an index of keys was as much again.
inline constexpr sqlite::Sql kLegsInReservations =
    "ALTER TABLE reservation ADD COLUMN leg_list TEXT NOT NULL DEFAULT '[]';"
    "ALTER TABLE reservation ADD COLUMN usage_sequence INTEGER;"
    "UPDATE reservation SET leg_list=(SELECT json_group_array(json_array(budget,window_start_us,"
    "metric,amount,posted)) FROM leg WHERE leg.reservation=reservation.key),"
    "usage_sequence=(SELECT sequence FROM usage WHERE usage.reservation=reservation.key);"
    "DROP TABLE leg;"
    "CREATE TABLE usage_of_calls("
    " sequence INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, reservation TEXT NOT NULL,"
    " record_time_us INTEGER NOT NULL, charge_time_us INTEGER NOT NULL,"
    " project TEXT NOT NULL, plan TEXT NOT NULL, task TEXT NOT NULL, attempt TEXT NOT NULL,"
    " role TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,"
    " service_tier TEXT NOT NULL, input INTEGER NOT NULL CHECK(input>=0),"
    " cache_read INTEGER NOT NULL CHECK(cache_read>=0),"
    " cache_write INTEGER NOT NULL CHECK(cache_write>=0),"
    " cache_write_long INTEGER NOT NULL CHECK(cache_write_long>=0),"
    " output INTEGER NOT NULL CHECK(output>=0), reasoning INTEGER NOT NULL CHECK(reasoning>=0),"
    " searches INTEGER NOT NULL CHECK(searches>=0),"
    " charged_usd INTEGER NOT NULL CHECK(charged_usd>=0),"
    " charged_tokens INTEGER NOT NULL CHECK(charged_tokens>=0),"
    " charged_requests INTEGER NOT NULL CHECK(charged_requests>=0),"
    " first_cost INTEGER NOT NULL CHECK(first_cost>=0), basis INTEGER NOT NULL,"
    " provider_request_id TEXT NOT NULL, price INTEGER NOT NULL) STRICT;"
    "INSERT INTO usage_of_calls SELECT " SLIPWAY_LEDGER_USAGE_COLUMNS
    " FROM usage;"
    "DROP TABLE usage;"
    "ALTER TABLE usage_of_calls RENAME TO usage;"
    "CREATE INDEX usage_charged ON usage(project,charge_time_us);"
    "CREATE INDEX usage_recorded ON usage(record_time_us);"
    "CREATE INDEX adjusted ON adjustment(reservation);";

// Ids of budgets become shorter; the journal, which cannot change, keeps the longer ones.
inline constexpr sqlite::Sql kShortBudgetIds =
    "UPDATE budget SET id=substr(id,1,15);"
    "UPDATE bucket SET budget=substr(budget,1,15);"
    "UPDATE reservation SET leg_list=(SELECT json_group_array(json_array("
    "substr(json_extract(l.value,'$[0]'),1,15),json_extract(l.value,'$[1]'),"
    "json_extract(l.value,'$[2]'),json_extract(l.value,'$[3]'),json_extract(l.value,'$[4]')))"
    " FROM json_each(leg_list) l) WHERE leg_list<>'[]';"
    "UPDATE reservation SET denial=json_set(denial,'$.balance.id',"
    "substr(json_extract(denial,'$.balance.id'),1,15))"
    " WHERE denial<>'' AND json_extract(denial,'$.balance.id') IS NOT NULL;"
    "UPDATE stored_reply SET body=json_set(body,'$.id',substr(json_extract(body,'$.id'),1,15))"
    " WHERE json_extract(body,'$.id') GLOB 'b*';";

// The sums again without tasks and attempts, which most questions do not ask for: a hundredth of
// the rows. What ended calls were charged by the day that counts for budgets, for a budget that is
// set later than they.
inline constexpr sqlite::Sql kSumsOfPlansAndCharges =
    "CREATE TABLE rollup_of_plan("
    " day_us INTEGER NOT NULL, project TEXT NOT NULL, plan TEXT NOT NULL, role TEXT NOT NULL,"
    " provider TEXT NOT NULL, model TEXT NOT NULL,"
    " calls INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL,"
    " cache_write INTEGER NOT NULL, cache_write_long INTEGER NOT NULL, output INTEGER NOT NULL,"
    " reasoning INTEGER NOT NULL, searches INTEGER NOT NULL, cost INTEGER NOT NULL,"
    " estimated INTEGER NOT NULL,"
    " PRIMARY KEY(day_us,project,plan,role,provider,model)) STRICT, WITHOUT ROWID;"
    "INSERT INTO rollup_of_plan SELECT day_us,project,plan,role,provider,model,SUM(calls),"
    "SUM(input),SUM(cache_read),SUM(cache_write),SUM(cache_write_long),SUM(output),"
    "SUM(reasoning),SUM(searches),SUM(cost),SUM(estimated) FROM rollup"
    " GROUP BY day_us,project,plan,role,provider,model;"
    "CREATE TABLE charged("
    " day_us INTEGER NOT NULL, project TEXT NOT NULL, plan TEXT NOT NULL, task TEXT NOT NULL,"
    " attempt TEXT NOT NULL, role TEXT NOT NULL, usd INTEGER NOT NULL, tokens INTEGER NOT NULL,"
    " requests INTEGER NOT NULL,"
    " PRIMARY KEY(project,plan,task,attempt,role,day_us)) STRICT, WITHOUT ROWID;"
    "INSERT INTO charged SELECT charge_time_us-charge_time_us%86400000000,project,plan,task,"
    "attempt,role,SUM(charged_usd),SUM(charged_tokens),SUM(charged_requests) FROM usage"
    " GROUP BY 1,2,3,4,5,6;"
    "DROP INDEX usage_charged;"
    "CREATE INDEX usage_charged ON usage(charge_time_us);";

// The sums once more without days and plans, for questions of a year; and names to find the others
// by, so that a page of tasks, attempts or plans reads only its own rows.
inline constexpr sqlite::Sql kSumsOfMonthsAndNames =
    "CREATE TABLE rollup_of_month("
    " month_us INTEGER NOT NULL, project TEXT NOT NULL, role TEXT NOT NULL,"
    " provider TEXT NOT NULL, model TEXT NOT NULL,"
    " calls INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL,"
    " cache_write INTEGER NOT NULL, cache_write_long INTEGER NOT NULL, output INTEGER NOT NULL,"
    " reasoning INTEGER NOT NULL, searches INTEGER NOT NULL, cost INTEGER NOT NULL,"
    " estimated INTEGER NOT NULL,"
    " PRIMARY KEY(month_us,project,role,provider,model)) STRICT, WITHOUT ROWID;"
    "INSERT INTO rollup_of_month SELECT CAST(strftime('%s',day_us/1000000,'unixepoch',"
    "'start of month') AS INTEGER)*1000000,project,role,provider,model,SUM(calls),SUM(input),"
    "SUM(cache_read),SUM(cache_write),SUM(cache_write_long),SUM(output),SUM(reasoning),"
    "SUM(searches),SUM(cost),SUM(estimated) FROM rollup_of_plan GROUP BY 1,2,3,4,5;"
    "CREATE INDEX rollup_by_task ON rollup(task);"
    "CREATE INDEX rollup_by_attempt ON rollup(attempt);"
    "CREATE INDEX rollup_by_plan ON rollup(plan);"
    "CREATE INDEX rollup_of_plan_by_plan ON rollup_of_plan(plan);";

// Whether the log of decisions beside the database is needed: 1 from a start to the stop.
inline constexpr sqlite::Sql kDecisionLog =
    "CREATE TABLE decision_log("
    " one INTEGER PRIMARY KEY NOT NULL CHECK(one=1),"
    " open INTEGER NOT NULL CHECK(open IN (0,1))) STRICT;"
    "INSERT INTO decision_log VALUES(1,0);";

inline constexpr sqlite::Migration kMigrations[] = {
    {1, events::kEventLogSchema}, {2, kLedgerSchema},   {3, kOwnersAndFrozenScopes},
    {4, kLegsInReservations},     {5, kShortBudgetIds}, {6, kSumsOfPlansAndCharges},
    {7, kSumsOfMonthsAndNames},   {8, kDecisionLog}};

}  // namespace slipway::ledger
