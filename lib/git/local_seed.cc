#include "lib/git/local_seed.h"

#include <fcntl.h>
#include <git2.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/fetch_flaws.h"
#include "lib/git/git_command.h"
#include "lib/git/mapped_file.h"
#include "lib/git/pack_entry.h"
#include "lib/git/pack_index.h"
#include "lib/git/snapshot.h"

namespace slipway::git {
namespace {

namespace fs = std::filesystem;

// Copying single files costs more than fetching when there are many. Git packs them at 6,700.
constexpr size_t kLooseObjectsMax = 20'000;
constexpr size_t kPacksMax = 5'000;

bool IsHex(absl::string_view text, size_t size) {
  if (text.size() != size) return false;
  for (const char c : text) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

// Neither a link to somewhere else nor a pipe that never ends.
bool IsFile(const fs::directory_entry& entry) {
  std::error_code error;
  return fs::is_regular_file(entry.symlink_status(error));
}

struct ObjectFiles {
  std::vector<std::string> packs;  // Without ".pack".
  std::vector<std::string> loose;  // "ab/cdef...".
};

absl::StatusOr<ObjectFiles> ListObjectFiles(const fs::path& objects) {
  ObjectFiles found;
  std::error_code error;
  for (fs::directory_iterator entry(objects / "pack", error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".pack" && IsFile(*entry))
      found.packs.push_back(entry->path().stem().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return base::ErrnoStatus(error.value(), (objects / "pack").string());
  }
  error.clear();
  for (fs::recursive_directory_iterator entry(objects, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path path = entry->path().lexically_relative(objects);
    if (entry.depth() == 0 && !IsHex(path.string(), 2)) entry.disable_recursion_pending();
    if (entry.depth() == 1 && IsHex(path.filename().string(), 38) && IsFile(*entry)) {
      found.loose.push_back(path.string());
    }
    if (found.loose.size() > kLooseObjectsMax) break;
  }
  if (error) return base::ErrnoStatus(error.value(), objects.string());
  if (found.loose.size() > kLooseObjectsMax || found.packs.size() > kPacksMax) {
    return absl::FailedPreconditionError("too many loose objects or packs to copy");
  }
  return found;
}

// Puts files into the object store of a mirror to which nothing refers yet, and empties it again
// unless it is told to keep them: what a killed seeding left was not checked.
class Seeding final {
 public:
  explicit Seeding(const Repository& mirror) : objects_(mirror.path() + "objects") {}
  ~Seeding() {
    if (!keep_) Empty().IgnoreError();  // The next seeding empties it, too.
  }
  Seeding(const Seeding&) = delete;
  Seeding& operator=(const Seeding&) = delete;

  absl::Status Empty() {
    for (const fs::path& directory : {objects_, objects_ / "pack"}) {
      std::error_code error;
      std::vector<std::string> paths;
      for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
           entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (name != "pack" && name != "info") paths.push_back(entry->path().string());
      }
      if (error) return base::ErrnoStatus(error.value(), directory.string());
      for (const std::string& path : paths) RETURN_IF_ERROR(base::RemoveTree(path));
    }
    return absl::OkStatus();
  }

  void Keep() { keep_ = true; }

  // The names of temporary files are those that SweepStale removes.
  std::string TemporaryPack() const { return (objects_ / "pack/tmp_pack_seed").string(); }
  std::string TemporaryIndex() const { return (objects_ / "pack/tmp_idx_seed").string(); }

  absl::Status CopyPack(const fs::path& from, const std::string& name) {
    const std::string target = (objects_ / "pack" / name).string();
    const std::string source = (from / "pack" / name).string();
    RETURN_IF_ERROR(base::CopyFile(source + ".pack", TemporaryPack(), 0444));
    RETURN_IF_ERROR(base::CopyFile(source + ".idx", TemporaryIndex(), 0444));
    return PublishPack(name);
  }

  // Makes the temporary files a pack of the mirror, when their checksums say so.
  absl::Status PublishPack(const std::string& name) {
    const std::string target = (objects_ / "pack" / name).string();
    {
      ASSIGN_OR_RETURN(const MappedFile pack, MappedFile::Open(TemporaryPack()));
      ASSIGN_OR_RETURN(const MappedFile index, MappedFile::Open(TemporaryIndex()));
      RETURN_IF_ERROR(CheckPack(pack.bytes()).status());
      ASSIGN_OR_RETURN(const PackIndex read, PackIndex::Read(index.bytes()));
      if (!absl::EndsWith(pack.bytes(), read.pack_checksum())) {
        return PackInvalid(absl::StrCat("the index of ", name, " is of another pack"));
      }
    }
    // The pack first: an index without its pack would be found.
    RETURN_IF_ERROR(Publish(TemporaryPack(), target + ".pack"));
    return Publish(TemporaryIndex(), target + ".idx");
  }

  absl::Status CopyLoose(const fs::path& from, const std::string& name) {
    const fs::path target = objects_ / name;
    RETURN_IF_ERROR(base::CopyFile((from / name).string(), TemporaryPack(), 0444));
    RETURN_IF_ERROR(base::MakeDirectories(target.parent_path().string(), 0755));
    return Publish(TemporaryPack(), target.string());
  }

  absl::Status SyncDirectories() const {
    RETURN_IF_ERROR(base::Sync(objects_.string()));
    for (const std::string& directory : directories_) RETURN_IF_ERROR(base::Sync(directory));
    return absl::OkStatus();
  }

 private:
  absl::Status Publish(const std::string& temporary, const std::string& target) {
    RETURN_IF_ERROR(base::Sync(temporary));
    if (rename(temporary.c_str(), target.c_str()) != 0) return base::ErrnoStatus(errno, target);
    directories_.insert(fs::path(target).parent_path().string());
    return absl::OkStatus();
  }

  const fs::path objects_;
  std::set<std::string> directories_;  // With something new.
  bool keep_ = false;
};

// Packs the snapshot of `tip` anew, whole and without deltas, and has git check that pack. Reading
// compares each object with its id. The pack stays: snapshots of later commits read it faster.
absl::Status CheckTip(const Repository& mirror, const Oid& tip, Seeding& seeding) {
  {
    const std::string path = seeding.TemporaryPack();
    const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(path.c_str(), "wbe"), fclose);
    if (file == nullptr) return base::ErrnoStatus(errno, path);
    RETURN_IF_ERROR(WriteSnapshotPack(mirror, tip, [&](absl::string_view bytes) {
                      return fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size()
                                 ? absl::OkStatus()
                                 : base::ErrnoStatus(errno, path);
                    }).status());
    if (fflush(file.get()) != 0) return base::ErrnoStatus(errno, path);
  }
  ASSIGN_OR_RETURN(
      const GitOutput output,
      RunGitCommand(
          {.git_dir = mirror.path(),
           .arguments = {
               "-c", "pack.writeReverseIndex=false", "index-pack",
               absl::StrCat("--strict=", absl::StrJoin(kForgivenFlaws, "=ignore,"), "=ignore"),
               "-o", seeding.TemporaryIndex(), seeding.TemporaryPack()}}));
  if (output.exit_code != 0) return GitCommandFailed("index-pack", output.err);
  std::string name;
  {
    ASSIGN_OR_RETURN(const MappedFile pack, MappedFile::Open(seeding.TemporaryPack()));
    name = absl::StrCat("pack-", absl::BytesToHexString(pack.bytes().substr(pack.bytes().size() -
                                                                            kPackChecksumBytes)));
  }
  return seeding.PublishPack(name);
}

}  // namespace

absl::Status SeedFromLocal(const Repository& mirror, const std::string& path, const Oid& tip) {
  ASSIGN_OR_RETURN(const Repository source, Repository::Open(path));
  const std::string common = git_repository_commondir(source.handle());
  for (const char* elsewhere : {"shallow", "objects/info/alternates"}) {
    if (fs::exists(common + elsewhere)) {
      return absl::FailedPreconditionError(absl::StrCat("it has a file ", elsewhere));
    }
  }
  const fs::path objects = common + "objects";
  ASSIGN_OR_RETURN(const ObjectFiles files, ListObjectFiles(objects));
  const absl::StatusOr<std::vector<Ref>> refs = mirror.ListRefs("refs/", 1);
  if (!refs.ok() || !refs->empty()) return absl::FailedPreconditionError("the mirror is in use");
  Seeding seeding(mirror);
  RETURN_IF_ERROR(seeding.Empty());
  for (const std::string& pack : files.packs) RETURN_IF_ERROR(seeding.CopyPack(objects, pack));
  for (const std::string& loose : files.loose) RETURN_IF_ERROR(seeding.CopyLoose(objects, loose));
  ASSIGN_OR_RETURN(const Repository seeded, Repository::OpenBare(mirror.path()));
  RETURN_IF_ERROR(CheckTip(seeded, tip, seeding));
  RETURN_IF_ERROR(seeding.SyncDirectories());
  seeding.Keep();
  return absl::OkStatus();
}

}  // namespace slipway::git
