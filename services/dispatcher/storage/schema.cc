#include "services/dispatcher/storage/schema.h"

#include "lib/events/event_log.h"

namespace slipway::dispatcher {
namespace {

// Order is history: append to this list, never edit it.
constexpr sqlite::Migration kMigrations[] = {
    {1, events::kEventLogSchema},
    {2,
     "CREATE TABLE meta(one INTEGER PRIMARY KEY NOT NULL CHECK(one=1),"
     " term INTEGER NOT NULL,"  // Rises with every start: fences a process that lives on.
     " ledger_cursor TEXT NOT NULL) STRICT;"
     "INSERT INTO meta(one,term,ledger_cursor) VALUES(1,0,'');"
     "CREATE TABLE run(position INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,"
     " plan TEXT NOT NULL UNIQUE, project TEXT NOT NULL, title TEXT NOT NULL,"
     " version INTEGER NOT NULL, digest TEXT NOT NULL, branch TEXT NOT NULL, tip TEXT NOT NULL,"
     " policy TEXT NOT NULL, state INTEGER NOT NULL, result TEXT NOT NULL,"
     " start_time_us INTEGER NOT NULL, end_time_us INTEGER) STRICT;"
     "CREATE INDEX run_by_project ON run(project,position);"
     "CREATE TABLE task(plan TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL,"
     " state INTEGER NOT NULL, epoch INTEGER NOT NULL, reason TEXT NOT NULL,"
     " detail TEXT NOT NULL, resume_time_us INTEGER, ready_time_us INTEGER, end_time_us INTEGER,"
     " merged_commit TEXT NOT NULL, open_checkpoint INTEGER NOT NULL,"
     " spec TEXT NOT NULL, progress TEXT NOT NULL,"  // JSON, see task_json.h.
     " PRIMARY KEY(plan,id)) STRICT, WITHOUT ROWID;"
     "CREATE UNIQUE INDEX task_by_position ON task(plan,position);"
     "CREATE TABLE attempt(plan TEXT NOT NULL, task TEXT NOT NULL, epoch INTEGER NOT NULL,"
     " kind INTEGER NOT NULL, state INTEGER NOT NULL, host TEXT NOT NULL, agent TEXT NOT NULL,"
     " commit_id TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,"
     " feedback TEXT NOT NULL, start_time_us INTEGER NOT NULL, end_time_us INTEGER,"
     " has_result INTEGER NOT NULL, key_open INTEGER NOT NULL,"
     " PRIMARY KEY(plan,task,epoch)) STRICT, WITHOUT ROWID;"
     "CREATE INDEX attempt_with_key ON attempt(key_open) WHERE key_open=1;"
     "CREATE TABLE result(plan TEXT NOT NULL, task TEXT NOT NULL, epoch INTEGER NOT NULL,"
     " salvage INTEGER NOT NULL, patch BLOB, tree TEXT NOT NULL, facts TEXT NOT NULL,"
     " PRIMARY KEY(plan,task,epoch)) STRICT;"
     "CREATE TABLE checkpoint(position INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,"
     " plan TEXT NOT NULL, task TEXT NOT NULL, number INTEGER NOT NULL, reason TEXT NOT NULL,"
     " question TEXT NOT NULL, evidence TEXT NOT NULL, options TEXT NOT NULL,"
     " decision INTEGER NOT NULL, guidance TEXT NOT NULL, actor TEXT NOT NULL,"
     " open_time_us INTEGER NOT NULL, resolve_time_us INTEGER,"
     " UNIQUE(plan,task,number)) STRICT;"
     "CREATE TABLE pause(scope TEXT PRIMARY KEY NOT NULL, reason TEXT NOT NULL,"
     " actor TEXT NOT NULL, time_us INTEGER NOT NULL) STRICT;"},
    {3,
     // Agents that outlive the dispatcher: written before one is started, removed when it is gone.
     "CREATE TABLE start_intent(agent TEXT PRIMARY KEY NOT NULL, host TEXT NOT NULL,"
     " token_digest TEXT NOT NULL, create_time_us INTEGER NOT NULL) STRICT;"
     "CREATE TABLE host_order(host TEXT PRIMARY KEY NOT NULL, cordoned INTEGER NOT NULL,"
     " draining INTEGER NOT NULL, drain_deadline_us INTEGER, reason TEXT NOT NULL,"
     " actor TEXT NOT NULL, time_us INTEGER NOT NULL) STRICT;"},
    {4,
     // What an audit needs to judge the ends of leases: when each start was, and for how long
     // nothing had been heard of an agent, by the monotonic clock, when its lease ended.
     "CREATE TABLE term(number INTEGER PRIMARY KEY NOT NULL, begin_time_us INTEGER NOT NULL,"
     " begin_sequence INTEGER NOT NULL, lease_timeout_us INTEGER NOT NULL) STRICT;"
     "ALTER TABLE attempt ADD COLUMN silence_us INTEGER;"},
    {5,
     // By what the grants of a term are to be judged: JSON, see task_json.h; empty before.
     "ALTER TABLE term ADD COLUMN rules TEXT NOT NULL DEFAULT '';"
     // What projects used of slots and money by attempts that ended: whose turn it is goes by it.
     "CREATE TABLE project_usage(project TEXT PRIMARY KEY NOT NULL, virtual_us INTEGER NOT NULL,"
     " slot_us INTEGER NOT NULL, cost_usd_nanos INTEGER NOT NULL) STRICT;"},
    {6,
     // Why a task fails, as a model sees it: JSON, see task_json.h; empty when there is none.
     "ALTER TABLE checkpoint ADD COLUMN diagnosis TEXT NOT NULL DEFAULT '';"},
    {7,
     // Apart from what changes with each step: a row of a task stays small, and so do its commits.
     "CREATE TABLE task_spec(plan TEXT NOT NULL, id TEXT NOT NULL, spec TEXT NOT NULL,"
     " PRIMARY KEY(plan,id)) STRICT, WITHOUT ROWID;"
     "INSERT INTO task_spec(plan,id,spec) SELECT plan,id,spec FROM task;"
     "ALTER TABLE task DROP COLUMN spec;"},
    {8,
     // With row numbers a row of up to 4 KiB takes a page; without, all but a quarter of a page of
     // it lay in pages of its own.
     "CREATE TABLE numbered_spec(plan TEXT NOT NULL, id TEXT NOT NULL, spec TEXT NOT NULL,"
     " PRIMARY KEY(plan,id)) STRICT;"
     "INSERT INTO numbered_spec(plan,id,spec) SELECT plan,id,spec FROM task_spec ORDER BY plan,id;"
     "DROP TABLE task_spec;"
     "ALTER TABLE numbered_spec RENAME TO task_spec;"},
};

}  // namespace

absl::Span<const sqlite::Migration> Migrations() { return kMigrations; }

}  // namespace slipway::dispatcher
