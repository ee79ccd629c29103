#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/faultdisk/fault_disk.h"

namespace slipway::faultdisk {

// SQLite on a FaultDisk: files, locks and the shared memory of the write-ahead log, all in memory.
// Registers itself under name() and must outlive its connections. All connections are used by one
// thread. Time stands still.
class FaultVfs final {
 public:
  explicit FaultVfs(FaultDisk& disk);
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  const char* name() const { return name_.c_str(); }

  // Forgets locks and shared memory, as the end of all processes does. No connection is open.
  void Restart() { shared_.clear(); }

 private:
  friend struct Glue;

  // What the connections of one database share.
  struct Shared {
    int readers = 0;  // Holders of a shared lock.
    bool reserved = false;
    bool pending = false;
    bool exclusive = false;
    int mapped = 0;  // Connections with the shared memory mapped.
    std::vector<std::unique_ptr<std::vector<char>>> regions;
    int lock_readers[SQLITE_SHM_NLOCK] = {};
    bool lock_writer[SQLITE_SHM_NLOCK] = {};
  };

  FaultDisk& disk_;
  const std::string name_;
  sqlite3_vfs vfs_ = {};
  std::map<std::string, std::shared_ptr<Shared>> shared_;
};

}  // namespace slipway::faultdisk
