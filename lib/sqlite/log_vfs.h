#pragma once

namespace slipway::sqlite {

// The name of a VFS, registered by the first call, that is the system's but for write-ahead logs:
// SQLite writes two pieces for each page of a commit, and here they gather in memory and are
// written together before the log is synced, read or changed in any other way. What a power failure
// or a kill can lose is what it could lose before: pieces that no sync has followed.
//
// Only for connections that sync with each commit (Synchronous::kFull): others would tell readers
// of pages that are not in the file yet. Thread-safe.
const char* GatheringLogVfs();

}  // namespace slipway::sqlite
