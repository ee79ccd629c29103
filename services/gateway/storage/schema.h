#pragma once

#include "lib/events/event_log.h"
#include "lib/sqlite/migration.h"

namespace slipway::gateway {

// Order is history: append to this list, never edit it.
inline constexpr sqlite::Migration kMigrations[] = {
    {1, events::kEventLogSchema},
    {2,
     "CREATE TABLE token("
     " position INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,"  // Age: page tokens name it.
     " name TEXT NOT NULL UNIQUE, title TEXT NOT NULL, role TEXT NOT NULL,"
     " secret_digest TEXT NOT NULL UNIQUE, create_time_us INTEGER NOT NULL,"
     " expire_time_us INTEGER, revoked INTEGER NOT NULL) STRICT;"
     "CREATE UNIQUE INDEX token_title ON token(title) WHERE revoked=0;"
     // Used ones stay, so that they are never used again.
     "CREATE TABLE one_time_token("
     " secret_digest TEXT PRIMARY KEY NOT NULL, expire_time_us INTEGER NOT NULL,"
     " used INTEGER NOT NULL) STRICT, WITHOUT ROWID;"},
};

}  // namespace slipway::gateway
