#include "lib/faultdisk/fault_vfs.h"

#include <atomic>
#include <cstring>
#include <new>

#include "absl/strings/str_cat.h"

namespace slipway::faultdisk {
namespace {

constexpr int kPathBytesMax = 256;
constexpr int kSectorSize = 4'096;

std::string NewName() {
  static std::atomic<int> next = 1;
  return absl::StrCat("fault-", next.fetch_add(1));
}

int CodeOf(Outcome outcome, int io_error) {
  switch (outcome) {
    case Outcome::kDone:
      return SQLITE_OK;
    case Outcome::kDiskFull:
      return SQLITE_FULL;
    case Outcome::kIoError:
      return io_error;
  }
  return io_error;
}

}  // namespace

// The callbacks of SQLite.
struct Glue {
  using Shared = FaultVfs::Shared;

  struct State {
    FaultVfs* vfs = nullptr;
    std::string name;
    std::shared_ptr<File> file;
    std::shared_ptr<Shared> shared;
    bool directory_unsynced = false;  // A journal's or log's first sync makes its name durable.
    bool delete_on_close = false;
    int level = SQLITE_LOCK_NONE;
    bool mapped = false;
    uint16_t shm_shared = 0;
    uint16_t shm_exclusive = 0;
  };

  struct Handle {
    sqlite3_file base;  // First: SQLite sees only this.
    State* state;
  };

  static State& Of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file)->state; }
  static FaultDisk& DiskOf(sqlite3_file* file) { return Of(file).vfs->disk_; }

  static int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out) {
    auto& self = *static_cast<FaultVfs*>(vfs->pAppData);
    auto* handle = reinterpret_cast<Handle*>(file);
    handle->base.pMethods = nullptr;
    const bool create = (flags & SQLITE_OPEN_CREATE) != 0;
    const std::string name = path == nullptr ? "temporary" : path;
    auto state = std::make_unique<State>();
    const Outcome opened = self.disk_.Open(name, create, state->file);
    if (opened != Outcome::kDone) return SQLITE_CANTOPEN;
    state->vfs = &self;
    state->name = name;
    state->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    state->directory_unsynced =
        create && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
      std::shared_ptr<Shared>& shared = self.shared_[name];
      if (shared == nullptr) shared = std::make_shared<Shared>();
      state->shared = shared;
    }
    handle->state = state.release();
    handle->base.pMethods = &kMethods;
    if (out != nullptr) *out = flags;
    return SQLITE_OK;
  }

  static int Close(sqlite3_file* file) {
    State& state = Of(file);
    Unlock(file, SQLITE_LOCK_NONE);
    ShmUnmap(file, 0);
    if (state.delete_on_close) state.vfs->disk_.Delete(state.name, false);
    delete reinterpret_cast<Handle*>(file)->state;
    return SQLITE_OK;
  }

  static int Read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
    int size_read = 0;
    const Outcome outcome =
        DiskOf(file).Read(*Of(file).file, offset, static_cast<char*>(data), size, size_read);
    if (outcome != Outcome::kDone) return SQLITE_IOERR_READ;
    if (size_read == size) return SQLITE_OK;
    std::memset(static_cast<char*>(data) + size_read, 0, static_cast<size_t>(size - size_read));
    return SQLITE_IOERR_SHORT_READ;
  }

  static int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    const absl::string_view bytes(static_cast<const char*>(data), static_cast<size_t>(size));
    return CodeOf(DiskOf(file).Write(*Of(file).file, offset, bytes), SQLITE_IOERR_WRITE);
  }

  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    return CodeOf(DiskOf(file).Truncate(*Of(file).file, size), SQLITE_IOERR_TRUNCATE);
  }

  static int Sync(sqlite3_file* file, int) {
    State& state = Of(file);
    const Outcome outcome = DiskOf(file).Sync(*state.file, state.directory_unsynced);
    if (outcome == Outcome::kDone) state.directory_unsynced = false;
    return CodeOf(outcome, SQLITE_IOERR_FSYNC);
  }

  static int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    *size = static_cast<sqlite3_int64>(Of(file).file->content.size());
    return SQLITE_OK;
  }

  static int Lock(sqlite3_file* file, int level) {
    State& state = Of(file);
    if (state.shared == nullptr || level <= state.level) return SQLITE_OK;
    Shared& shared = *state.shared;
    if (level == SQLITE_LOCK_SHARED) {
      if (shared.pending || shared.exclusive) return SQLITE_BUSY;
      ++shared.readers;
    } else if (level == SQLITE_LOCK_RESERVED) {
      if (shared.reserved) return SQLITE_BUSY;
      shared.reserved = true;
    } else {
      if (state.level < SQLITE_LOCK_RESERVED && shared.reserved) return SQLITE_BUSY;
      shared.reserved = shared.pending = true;
      state.level = SQLITE_LOCK_PENDING;
      if (shared.readers > 1) return SQLITE_BUSY;
      shared.exclusive = true;
    }
    state.level = level;
    return SQLITE_OK;
  }

  static int Unlock(sqlite3_file* file, int level) {
    State& state = Of(file);
    if (state.shared == nullptr || level >= state.level) return SQLITE_OK;
    Shared& shared = *state.shared;
    if (state.level >= SQLITE_LOCK_RESERVED) {
      shared.reserved = shared.pending = shared.exclusive = false;
    }
    if (level == SQLITE_LOCK_NONE) --shared.readers;
    state.level = level;
    return SQLITE_OK;
  }

  static int CheckReservedLock(sqlite3_file* file, int* reserved) {
    *reserved = Of(file).shared != nullptr && Of(file).shared->reserved ? 1 : 0;
    return SQLITE_OK;
  }

  static int FileControl(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int SectorSize(sqlite3_file*) { return kSectorSize; }
  // What SQLite assumes of a disk on Unix, too.
  static int Characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
    State& state = Of(file);
    Shared& shared = *state.shared;
    *out = nullptr;
    if (state.vfs->disk_.dead()) return SQLITE_IOERR_SHMMAP;
    if (!state.mapped) ++shared.mapped;
    state.mapped = true;
    const auto index = static_cast<size_t>(region);
    if (index >= shared.regions.size() && extend == 0) return SQLITE_OK;
    while (index >= shared.regions.size()) {
      shared.regions.push_back(std::make_unique<std::vector<char>>(static_cast<size_t>(size)));
    }
    *out = shared.regions[index]->data();
    return SQLITE_OK;
  }

  static int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
    State& state = Of(file);
    Shared& shared = *state.shared;
    const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    const auto mask = static_cast<uint16_t>((1 << (offset + count)) - (1 << offset));
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
      Release(state, mask);
      return SQLITE_OK;
    }
    for (int i = offset; i < offset + count; ++i) {
      const bool own_shared = (state.shm_shared & (1 << i)) != 0;
      const bool own_exclusive = (state.shm_exclusive & (1 << i)) != 0;
      if (shared.lock_writer[i] && !own_exclusive) return SQLITE_BUSY;
      if (exclusive && shared.lock_readers[i] > (own_shared ? 1 : 0)) return SQLITE_BUSY;
    }
    for (int i = offset; i < offset + count; ++i) {
      if (exclusive) {
        shared.lock_writer[i] = true;
      } else if ((state.shm_shared & (1 << i)) == 0) {
        ++shared.lock_readers[i];
      }
    }
    (exclusive ? state.shm_exclusive : state.shm_shared) |= mask;
    return SQLITE_OK;
  }

  static void Release(State& state, uint16_t mask) {
    for (int i = 0; i < SQLITE_SHM_NLOCK; ++i) {
      if ((mask & (1 << i)) == 0) continue;
      if ((state.shm_shared & (1 << i)) != 0) --state.shared->lock_readers[i];
      if ((state.shm_exclusive & (1 << i)) != 0) state.shared->lock_writer[i] = false;
    }
    state.shm_shared &= static_cast<uint16_t>(~mask);
    state.shm_exclusive &= static_cast<uint16_t>(~mask);
  }

  static void ShmBarrier(sqlite3_file*) {}

  static int ShmUnmap(sqlite3_file* file, int) {
    State& state = Of(file);
    if (!state.mapped) return SQLITE_OK;
    Release(state, 0xffff);
    state.mapped = false;
    if (--state.shared->mapped == 0) state.shared->regions.clear();
    return SQLITE_OK;
  }

  static int Delete(sqlite3_vfs* vfs, const char* path, int sync_directory) {
    FaultDisk& disk = static_cast<FaultVfs*>(vfs->pAppData)->disk_;
    if (!disk.Exists(path)) return SQLITE_IOERR_DELETE_NOENT;
    return CodeOf(disk.Delete(path, sync_directory != 0), SQLITE_IOERR_DELETE);
  }

  static int HasAccess(sqlite3_vfs* vfs, const char* path, int, int* found) {
    *found = static_cast<FaultVfs*>(vfs->pAppData)->disk_.Exists(path) ? 1 : 0;
    return SQLITE_OK;
  }

  static int FullPathname(sqlite3_vfs*, const char* path, int size, char* out) {
    if (std::strlen(path) >= static_cast<size_t>(size)) return SQLITE_CANTOPEN;
    std::strcpy(out, path);
    return SQLITE_OK;
  }

  static int Randomness(sqlite3_vfs* vfs, int size, char* out) {
    Random& random = static_cast<FaultVfs*>(vfs->pAppData)->disk_.random();
    for (int i = 0; i < size; ++i) out[i] = static_cast<char>(random.Next());
    return size;
  }

  static int Sleep(sqlite3_vfs*, int micros) { return micros; }

  static int CurrentTime(sqlite3_vfs*, sqlite3_int64* millis) {
    *millis = 212'000'000'000'000;  // Some day of the Julian calendar; nothing of ours asks.
    return SQLITE_OK;
  }

  static const sqlite3_io_methods kMethods;
};

const sqlite3_io_methods Glue::kMethods = {.iVersion = 2,
                                           .xClose = Glue::Close,
                                           .xRead = Glue::Read,
                                           .xWrite = Glue::Write,
                                           .xTruncate = Glue::Truncate,
                                           .xSync = Glue::Sync,
                                           .xFileSize = Glue::FileSize,
                                           .xLock = Glue::Lock,
                                           .xUnlock = Glue::Unlock,
                                           .xCheckReservedLock = Glue::CheckReservedLock,
                                           .xFileControl = Glue::FileControl,
                                           .xSectorSize = Glue::SectorSize,
                                           .xDeviceCharacteristics = Glue::Characteristics,
                                           .xShmMap = Glue::ShmMap,
                                           .xShmLock = Glue::ShmLock,
                                           .xShmBarrier = Glue::ShmBarrier,
                                           .xShmUnmap = Glue::ShmUnmap,
                                           .xFetch = nullptr,
                                           .xUnfetch = nullptr};

FaultVfs::FaultVfs(FaultDisk& disk) : disk_(disk), name_(NewName()) {
  vfs_.iVersion = 2;
  vfs_.szOsFile = sizeof(Glue::Handle);
  vfs_.mxPathname = kPathBytesMax;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = Glue::Open;
  vfs_.xDelete = Glue::Delete;
  vfs_.xAccess = Glue::HasAccess;
  vfs_.xFullPathname = Glue::FullPathname;
  vfs_.xRandomness = Glue::Randomness;
  vfs_.xSleep = Glue::Sleep;
  vfs_.xCurrentTimeInt64 = Glue::CurrentTime;
  sqlite3_vfs_register(&vfs_, 0);
}

FaultVfs::~FaultVfs() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace slipway::faultdisk
