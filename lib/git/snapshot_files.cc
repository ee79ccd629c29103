#include "lib/git/snapshot_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/git/commit.h"
#include "lib/git/delta.h"
#include "lib/git/errors.h"
#include "lib/git/libgit.h"
#include "lib/git/pack_entry.h"
#include "lib/git/pack_index.h"
#include "lib/git/pack_writer.h"
#include "lib/git/ref_name.h"
#include "lib/git/repository.h"
#include "lib/git/snapshot_walk.h"

namespace slipway::git {
namespace {

constexpr size_t kReceivedBlobMax = size_t{1} << 30;

// The pack of a difference in front of its base.
class DifferencePack final : public ObjectSource {
 public:
  static absl::StatusOr<DifferencePack> Open(const std::string& path, const PackFile& base) {
    ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
    DifferencePack pack(std::move(file), base);
    RETURN_IF_ERROR(pack.Scan());
    return pack;
  }

  absl::StatusOr<Object> Read(const Oid& oid, size_t size_max) const override {
    const auto found = offsets_.find(oid);
    if (found == offsets_.end()) return base_.Read(oid, size_max);
    ASSIGN_OR_RETURN(const Resolved resolved, ResolveAt(found->second, size_max));
    return resolved.object;
  }
  bool Contains(const Oid& oid) const override {
    return offsets_.contains(oid) || base_.Contains(oid);
  }

  // The object as a complete pack holds it.
  absl::StatusOr<std::string> Pack(const Oid& oid, PackWriter& writer) const {
    const auto found = offsets_.find(oid);
    if (found == offsets_.end()) {
      ASSIGN_OR_RETURN(const PackFile::Packed packed, base_.Find(oid));
      return std::string(packed.bytes);
    }
    ASSIGN_OR_RETURN(const Resolved resolved, ResolveAt(found->second, kReceivedBlobMax));
    if (!resolved.is_delta) {
      return std::string(file_.bytes().substr(found->second, resolved.packed_size));
    }
    return writer.Pack(resolved.object.type, resolved.object.bytes);
  }

 private:
  struct Resolved {
    Object object;
    bool is_delta = false;
    size_t packed_size = 0;
  };

  DifferencePack(MappedFile file, const PackFile& base) : file_(std::move(file)), base_(base) {}

  absl::Status Scan() {
    const absl::string_view bytes = file_.bytes();
    ASSIGN_OR_RETURN(const uint32_t count, CheckPack(bytes));
    size_t offset = kPackHeaderBytes;
    for (uint32_t i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(const Resolved resolved, ResolveAt(offset, kReceivedBlobMax));
      offsets_.emplace(HashObject(resolved.object.type, resolved.object.bytes), offset);
      offset += resolved.packed_size;
    }
    if (offset + kPackChecksumBytes != bytes.size()) return PackInvalid("it goes on after its end");
    return absl::OkStatus();
  }

  absl::StatusOr<Resolved> ResolveAt(size_t offset, size_t size_max) const {
    absl::string_view rest = file_.bytes().substr(offset);
    rest.remove_suffix(kPackChecksumBytes);
    ASSIGN_OR_RETURN(PackEntry entry, ReadPackEntry(rest, kReceivedBlobMax));
    Resolved resolved{.is_delta = entry.delta_base.has_value(), .packed_size = entry.packed_size};
    if (!resolved.is_delta) {
      resolved.object = {.type = entry.type, .bytes = std::move(entry.bytes)};
    } else {
      ASSIGN_OR_RETURN(Object under, base_.Read(*entry.delta_base, kDeltaObjectBytesMax));
      resolved.object.type = under.type;
      ASSIGN_OR_RETURN(resolved.object.bytes,
                       ApplyDelta(under.bytes, entry.bytes, kReceivedBlobMax));
    }
    if (resolved.object.bytes.size() > size_max) return PackInvalid("an object is too large");
    return resolved;
  }

  MappedFile file_;
  const PackFile& base_;
  std::unordered_map<Oid, size_t, absl::Hash<Oid>> offsets_;
};

// Writes a pack of whole packed objects, and keeps what its index needs.
class JoinedPackFile final {
 public:
  static absl::StatusOr<JoinedPackFile> Create(const std::string& path) {
    base::UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.valid()) return base::ErrnoStatus(errno, path);
    return JoinedPackFile(std::move(file));
  }

  absl::Status Write(absl::string_view chunk) {
    checksum_.append(chunk.data(), chunk.size());
    if (checksum_.size() > kPackChecksumBytes) {
      checksum_.erase(0, checksum_.size() - kPackChecksumBytes);
    }
    while (!chunk.empty()) {
      const ssize_t written = write(file_.get(), chunk.data(), chunk.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return base::ErrnoStatus(errno, "write a snapshot's pack");
      chunk.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  void Add(const Oid& oid, absl::string_view packed) {
    places_.push_back({.oid = oid, .offset = offset_, .crc = PackedCrc(packed)});
    offset_ += packed.size();
  }

  // After the pack was finished.
  std::string Index() { return EncodePackIndex(std::move(places_), checksum_); }

 private:
  explicit JoinedPackFile(base::UniqueFd file) : file_(std::move(file)) {}

  base::UniqueFd file_;
  std::string checksum_;  // The last bytes written.
  std::vector<PackPlace> places_;
  uint64_t offset_ = kPackHeaderBytes;
};

// What a commit's complete snapshot holds, in the order of its pack.
absl::StatusOr<std::vector<Oid>> ObjectsOf(const ObjectSource& source, const Oid& commit) {
  ASSIGN_OR_RETURN(const Commit head, ReadCommit(source, commit));
  SnapshotWalk walk(source);
  RETURN_IF_ERROR(walk.Visit(head.tree));
  std::vector<Oid> objects = {commit};
  for (const SnapshotWalk::Step& tree : walk.trees()) objects.push_back(tree.oid);
  for (const SnapshotWalk::Step& blob : walk.blobs()) objects.push_back(blob.oid);
  return objects;
}

absl::Status AsPackInvalid(const absl::Status& status) {
  return status.ok() || absl::IsDataLoss(status) || absl::IsNotFound(status) ||
                 absl::IsInvalidArgument(status)
             ? (status.ok() ? status : PackInvalid(status.message()))
             : status;
}

absl::Status WriteJoined(const DifferencePack& source, const Oid& commit,
                         const SnapshotFiles& files) {
  ASSIGN_OR_RETURN(const std::vector<Oid> objects, ObjectsOf(source, commit));
  ASSIGN_OR_RETURN(JoinedPackFile file, JoinedPackFile::Create(files.pack));
  PackWriter writer(static_cast<uint32_t>(objects.size()),
                    [&](absl::string_view chunk) { return file.Write(chunk); });
  for (const Oid& oid : objects) {
    ASSIGN_OR_RETURN(const std::string packed, source.Pack(oid, writer));
    file.Add(oid, packed);
    RETURN_IF_ERROR(writer.AddPacked(packed));
  }
  RETURN_IF_ERROR(writer.Finish());
  return base::WriteFileAtomic(files.index, file.Index());
}

}  // namespace

absl::Status IndexSnapshot(const SnapshotFiles& files, const Oid& commit) {
  std::vector<PackPlace> places;
  {
    ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(files.pack));
    const absl::string_view bytes = file.bytes();
    ASSIGN_OR_RETURN(const uint32_t count, CheckPack(bytes));
    absl::string_view rest = bytes;
    rest.remove_suffix(kPackChecksumBytes);
    rest.remove_prefix(kPackHeaderBytes);
    for (uint32_t i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(const PackEntry entry, ReadPackEntry(rest, kReceivedBlobMax));
      if (entry.delta_base.has_value()) return PackInvalid("it is none of a complete snapshot");
      places.push_back({.oid = HashObject(entry.type, entry.bytes),
                        .offset = static_cast<uint64_t>(rest.data() - bytes.data()),
                        .crc = PackedCrc(rest.substr(0, entry.packed_size))});
      rest.remove_prefix(entry.packed_size);
    }
    if (!rest.empty()) return PackInvalid("it goes on after its end");
    RETURN_IF_ERROR(base::WriteFileAtomic(
        files.index,
        EncodePackIndex(std::move(places), bytes.substr(bytes.size() - kPackChecksumBytes))));
  }
  ASSIGN_OR_RETURN(const PackFile pack, PackFile::Open(files.pack, files.index));
  const absl::StatusOr<std::vector<Oid>> objects = ObjectsOf(pack, commit);
  if (!objects.ok()) return AsPackInvalid(objects.status());
  for (const Oid& oid : *objects) {
    if (!pack.Contains(oid)) return PackInvalid(ObjectMissing(oid).message());
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> IsIndexed(const SnapshotFiles& files) {
  ASSIGN_OR_RETURN(const MappedFile pack, MappedFile::Open(files.pack));
  const absl::StatusOr<MappedFile> index = MappedFile::Open(files.index);
  if (absl::IsNotFound(index.status())) return false;
  RETURN_IF_ERROR(index.status());
  const absl::StatusOr<PackIndex> read = PackIndex::Read(index->bytes());
  return read.ok() && absl::EndsWith(pack.bytes(), read->pack_checksum());
}

absl::Status JoinSnapshot(const PackFile& base, const std::string& difference, const Oid& commit,
                          const SnapshotFiles& files) {
  const absl::StatusOr<DifferencePack> source = DifferencePack::Open(difference, base);
  if (!source.ok()) return AsPackInvalid(source.status());
  return AsPackInvalid(WriteJoined(*source, commit, files));
}

absl::Status InstallSnapshot(const SnapshotFiles& files, const Oid& commit,
                             const std::string& directory, WorkTree work_tree,
                             absl::string_view branch) {
  StartLibgit();
  const std::string ref = absl::StrCat("refs/heads/", branch);
  RETURN_IF_ERROR(CheckRefName(ref));
  std::error_code error;
  if (std::filesystem::exists(directory, error) && !std::filesystem::is_empty(directory, error)) {
    return RepositoryExists(directory);
  }
  const std::string branch_name(branch);
  git_repository_init_options init = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  init.flags = GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
  init.initial_head = branch_name.c_str();
  git_repository* made = nullptr;
  RETURN_IF_ERROR(LibgitStatus(git_repository_init_ext(&made, directory.c_str(), &init),
                               absl::StrCat("make repository ", directory)));
  git_repository_free(made);
  ASSIGN_OR_RETURN(Repository repository, Repository::Open(directory));
  // Without it the parents of the commit count as missing.
  RETURN_IF_ERROR(base::WriteFileAtomic(absl::StrCat(repository.path(), "shallow"),
                                        absl::StrCat(commit.ToHex(), "\n"), 0644));
  std::string name;
  {
    ASSIGN_OR_RETURN(const MappedFile pack, MappedFile::Open(files.pack));
    if (pack.bytes().size() < kPackChecksumBytes) return PackInvalid("it is cut off");
    name = absl::BytesToHexString(pack.bytes().substr(pack.bytes().size() - kPackChecksumBytes));
  }
  const std::string stem = absl::StrCat(repository.path(), "objects/pack/pack-", name);
  RETURN_IF_ERROR(base::CopyFile(files.pack, stem + ".pack", 0444));
  RETURN_IF_ERROR(base::CopyFile(files.index, stem + ".idx", 0444));
  RETURN_IF_ERROR(repository.CompareAndSwap(ref, std::nullopt, commit, "snapshot"));
  if (work_tree == WorkTree::kEmpty) return absl::OkStatus();
  git_checkout_options options = GIT_CHECKOUT_OPTIONS_INIT;
  options.checkout_strategy = GIT_CHECKOUT_FORCE;
  return LibgitStatus(git_checkout_head(repository.handle(), &options), "check out");
}

}  // namespace slipway::git
