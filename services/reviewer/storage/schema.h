#pragma once

#include "lib/events/event_log.h"
#include "lib/sqlite/migration.h"

namespace slipway::reviewer {

// Order is history: append to this list, never edit it.
inline constexpr sqlite::Migration kMigrations[] = {
    {1, events::kEventLogSchema},
    {2,
     "CREATE TABLE plan("
     " name TEXT PRIMARY KEY NOT NULL, project TEXT NOT NULL, location TEXT NOT NULL,"
     " target_branch TEXT NOT NULL, base_commit TEXT NOT NULL, branch TEXT NOT NULL,"
     " policy TEXT NOT NULL, open_time_us INTEGER NOT NULL) STRICT;"
     // Attempts are listed by task; the patch is kept apart from what lists read.
     "CREATE TABLE inspection("
     " attempt TEXT PRIMARY KEY NOT NULL, task TEXT NOT NULL, plan TEXT NOT NULL,"
     " epoch INTEGER NOT NULL, base_commit TEXT NOT NULL, patch_digest TEXT NOT NULL,"
     " expected_tree TEXT NOT NULL, title TEXT NOT NULL, approver TEXT NOT NULL,"
     " accepted INTEGER NOT NULL, findings TEXT NOT NULL, human_may_accept INTEGER NOT NULL,"
     " commit_id TEXT NOT NULL, tree TEXT NOT NULL, paths TEXT NOT NULL,"
     " added INTEGER NOT NULL, removed INTEGER NOT NULL, inspect_time_us INTEGER NOT NULL) STRICT;"
     "CREATE INDEX inspection_by_task ON inspection(task,epoch);"
     "CREATE TABLE patch(attempt TEXT PRIMARY KEY NOT NULL, bytes BLOB NOT NULL) STRICT;"
     "CREATE TABLE candidate("
     " position INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL UNIQUE,"
     " plan TEXT NOT NULL, task TEXT NOT NULL, attempt TEXT NOT NULL, source TEXT NOT NULL,"
     " base TEXT NOT NULL, commit_id TEXT NOT NULL, tree TEXT NOT NULL, method TEXT NOT NULL,"
     " validator_digest TEXT NOT NULL, create_time_us INTEGER NOT NULL) STRICT;"
     "CREATE INDEX candidate_by_attempt ON candidate(attempt,position);"
     "CREATE TABLE evidence("
     " position INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, project TEXT NOT NULL,"
     " tree TEXT NOT NULL, validator_digest TEXT NOT NULL, attempt TEXT NOT NULL,"
     " passed INTEGER NOT NULL, results TEXT NOT NULL, record_time_us INTEGER NOT NULL,"
     " UNIQUE(project,tree,validator_digest,attempt)) STRICT;"
     "CREATE TABLE verdict("
     " candidate TEXT NOT NULL, round INTEGER NOT NULL, plan TEXT NOT NULL, roles TEXT NOT NULL,"
     " prompt_digest TEXT NOT NULL, kind TEXT NOT NULL, summary TEXT NOT NULL, gaps TEXT NOT NULL,"
     " give_time_us INTEGER NOT NULL, PRIMARY KEY(candidate,round)) STRICT;"
     "CREATE INDEX verdict_by_prompt ON verdict(plan,prompt_digest);"
     // The try of a call whose earlier tries were denied before they began.
     "CREATE TABLE call_try(call TEXT PRIMARY KEY NOT NULL, try INTEGER NOT NULL) STRICT;"
     "CREATE TABLE intent("
     " candidate TEXT PRIMARY KEY NOT NULL, ref TEXT NOT NULL, expected TEXT NOT NULL,"
     " target TEXT NOT NULL, approver TEXT NOT NULL) STRICT;"
     "CREATE TABLE merged("
     " candidate TEXT PRIMARY KEY NOT NULL, plan TEXT NOT NULL, task TEXT NOT NULL,"
     " attempt TEXT NOT NULL, branch TEXT NOT NULL, from_commit TEXT NOT NULL,"
     " commit_id TEXT NOT NULL, tree TEXT NOT NULL, detail TEXT NOT NULL, approver TEXT NOT NULL,"
     " merge_time_us INTEGER NOT NULL) STRICT;"
     "CREATE INDEX merged_by_attempt ON merged(attempt);"
     "CREATE INDEX merged_by_plan ON merged(plan,task);"},
    {3,
     // Open until the branch has moved. Tasks are lists in JSON.
     "CREATE TABLE rollback("
     " commit_id TEXT PRIMARY KEY NOT NULL, plan TEXT NOT NULL, branch TEXT NOT NULL,"
     " from_commit TEXT NOT NULL, target TEXT NOT NULL, tree TEXT NOT NULL, actor TEXT NOT NULL,"
     " reason TEXT NOT NULL, undone_tasks TEXT NOT NULL, restored_tasks TEXT NOT NULL,"
     " open INTEGER NOT NULL, rollback_time_us INTEGER NOT NULL) STRICT;"
     "CREATE INDEX rollback_by_plan ON rollback(plan,rollback_time_us);"
     "CREATE INDEX rollback_that_is_open ON rollback(open) WHERE open;"},
    {4,
     // Neighbours in the merge queue with one group are validated as one.
     "ALTER TABLE candidate ADD COLUMN batch TEXT NOT NULL DEFAULT '';"
     "CREATE INDEX candidate_by_task ON candidate(plan,task);"
     // Other candidates that land by the same move: a list in JSON.
     "ALTER TABLE intent ADD COLUMN ahead TEXT NOT NULL DEFAULT '[]';"
     // Judged and asked to land; gone when it has landed.
     "CREATE TABLE ready("
     " candidate TEXT PRIMARY KEY NOT NULL, approver TEXT NOT NULL) STRICT;"
     // What the queue measures itself by.
     "CREATE TABLE outcome("
     " position INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, plan TEXT NOT NULL,"
     " attempt TEXT NOT NULL UNIQUE, landed INTEGER NOT NULL) STRICT;"
     "CREATE INDEX outcome_by_plan ON outcome(plan,position);"},
    {5,
     // The newest evidence when the change was inspected: the clock may go back, positions do not.
     "ALTER TABLE inspection ADD COLUMN evidence_before INTEGER NOT NULL DEFAULT 0;"
     "CREATE INDEX evidence_by_time ON evidence(record_time_us);"
     "UPDATE inspection SET evidence_before=COALESCE((SELECT position FROM evidence"
     " WHERE record_time_us<inspect_time_us ORDER BY record_time_us DESC LIMIT 1),0);"
     "DROP INDEX evidence_by_time;"},
};

}  // namespace slipway::reviewer
