#pragma once

#include "lib/events/event_log.h"
#include "lib/sqlite/migration.h"

namespace slipway::planner {

// Order is history: append to this list, never edit it.
inline constexpr sqlite::Migration kMigrations[] = {
    {1, events::kEventLogSchema},
    {2,
     "CREATE TABLE project("
     " id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, repository TEXT NOT NULL,"
     " target_branch TEXT NOT NULL, plan_tier TEXT NOT NULL, rigor INTEGER NOT NULL,"
     " policy_json TEXT NOT NULL, state INTEGER NOT NULL, version INTEGER NOT NULL,"
     " create_time_us INTEGER NOT NULL) STRICT;"
     "CREATE TABLE plan("
     " position INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,"  // Age: page tokens name it.
     " project TEXT NOT NULL REFERENCES project(id), id TEXT NOT NULL, title TEXT NOT NULL,"
     " state INTEGER NOT NULL, version INTEGER NOT NULL, approved_version INTEGER NOT NULL,"
     " rigor INTEGER NOT NULL, base_commit TEXT NOT NULL, branch TEXT NOT NULL,"
     " failure TEXT NOT NULL, approver TEXT NOT NULL, create_time_us INTEGER NOT NULL,"
     " update_time_us INTEGER NOT NULL, UNIQUE(project,id)) STRICT;"
     "CREATE INDEX plan_state ON plan(state,position);"
     "CREATE TABLE plan_spec("
     " plan INTEGER PRIMARY KEY NOT NULL REFERENCES plan(position), spec TEXT NOT NULL) STRICT;"
     "CREATE TABLE plan_version("
     " plan INTEGER NOT NULL REFERENCES plan(position), version INTEGER NOT NULL,"
     " content_json TEXT NOT NULL, create_time_us INTEGER NOT NULL,"
     " PRIMARY KEY(plan,version)) STRICT, WITHOUT ROWID;"
     // The project as it was when the plan was approved.
     "CREATE TABLE approval("
     " plan INTEGER PRIMARY KEY NOT NULL REFERENCES plan(position), repository TEXT NOT NULL,"
     " target_branch TEXT NOT NULL, plan_tier TEXT NOT NULL, policy_json TEXT NOT NULL,"
     " project_version INTEGER NOT NULL) STRICT;"
     "CREATE TABLE draft("
     " plan INTEGER PRIMARY KEY NOT NULL REFERENCES plan(position), round INTEGER NOT NULL,"
     " attempt INTEGER NOT NULL, call_id TEXT NOT NULL, call_pending INTEGER NOT NULL,"
     " refused_reply TEXT NOT NULL, problem TEXT NOT NULL, context_tokens INTEGER NOT NULL,"
     " unexplained INTEGER NOT NULL, waits INTEGER NOT NULL) STRICT;"
     // Plans to hand to the dispatcher.
     "CREATE TABLE start_order("
     " plan INTEGER PRIMARY KEY NOT NULL REFERENCES plan(position)) STRICT;"
     "CREATE TABLE request("
     " method TEXT NOT NULL, scope TEXT NOT NULL, request_id TEXT NOT NULL, result TEXT NOT NULL,"
     " PRIMARY KEY(method,scope,request_id)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE cursor(log TEXT PRIMARY KEY NOT NULL, token TEXT NOT NULL) STRICT;"},
    {3,
     "ALTER TABLE plan ADD COLUMN amendment INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE plan ADD COLUMN amendment_failure TEXT NOT NULL DEFAULT '';"
     "ALTER TABLE plan ADD COLUMN amendment_approver TEXT NOT NULL DEFAULT '';"
     // The approved ones are the outbox to the dispatcher.
     "CREATE INDEX plan_amendment ON plan(position) WHERE amendment=2;"},
};

}  // namespace slipway::planner
