#include "lib/git/snapshot.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/git/commit.h"
#include "lib/git/errors.h"
#include "lib/git/libgit.h"
#include "lib/git/ref_name.h"
#include "lib/git/tree.h"

namespace slipway::git {
namespace {

// The trees and blobs of one commit, each once, in the order in which a walk meets them.
class SnapshotWalk final {
 public:
  explicit SnapshotWalk(const ObjectSource& source) : source_(source) {}

  absl::Status Visit(const Oid& tree, int depth) {
    if (depth > kTreeDepthMax) return ObjectCorrupt(tree, "too many directories in each other");
    if (!seen_.insert(tree).second) return absl::OkStatus();
    trees_.push_back(tree);
    ASSIGN_OR_RETURN(const Tree entries, ReadTree(source_, tree));
    for (const TreeEntry& entry : entries) {
      if (seen_.size() > kSnapshotObjectsMax) return ListTooLong("snapshot", kSnapshotObjectsMax);
      if (entry.is_tree()) {
        RETURN_IF_ERROR(Visit(entry.oid, depth + 1));
      } else if (entry.mode != kModeSubmodule && seen_.insert(entry.oid).second) {
        blobs_.push_back(entry.oid);
      }
    }
    return absl::OkStatus();
  }

  const std::vector<Oid>& trees() const { return trees_; }
  const std::vector<Oid>& blobs() const { return blobs_; }

 private:
  const ObjectSource& source_;
  std::unordered_set<Oid, absl::Hash<Oid>> seen_;
  std::vector<Oid> trees_;
  std::vector<Oid> blobs_;
};

// Every object of the commit is there. Their content was hashed while the pack was indexed.
absl::Status CheckWhole(const Repository& repository, const Oid& commit) {
  ASSIGN_OR_RETURN(const Commit head, ReadCommit(repository, commit));
  SnapshotWalk walk(repository);
  RETURN_IF_ERROR(walk.Visit(head.tree, 0));
  for (const Oid& blob : walk.blobs()) {
    if (!repository.Contains(blob)) return ObjectMissing(blob);
  }
  return absl::OkStatus();
}

// Adds one object, from the cache when it is there.
absl::Status AddObject(ObjectType type, const Oid& oid,
                       absl::FunctionRef<absl::StatusOr<std::string>()> read, PackCache* cache,
                       PackWriter& writer) {
  if (cache != nullptr) {
    const std::shared_ptr<const std::string> known = cache->Find(oid);
    if (known != nullptr) return writer.AddPacked(*known);
  }
  ASSIGN_OR_RETURN(const std::string bytes, read());
  if (cache == nullptr || bytes.size() > PackCache::kEntryBytesMax) return writer.Add(type, bytes);
  ASSIGN_OR_RETURN(std::string packed, writer.Pack(type, bytes));
  const auto entry = std::make_shared<const std::string>(std::move(packed));
  cache->Put(oid, entry);
  return writer.AddPacked(*entry);
}

}  // namespace

absl::StatusOr<SnapshotSize> WriteSnapshotPack(const ObjectSource& source, const Oid& commit,
                                               const ByteSink& sink,
                                               const SnapshotOptions& options) {
  ASSIGN_OR_RETURN(const std::string head,
                   source.ReadAs(ObjectType::kCommit, commit, kCommitSizeMax));
  ASSIGN_OR_RETURN(const Commit parsed, ReadCommit(source, commit));
  SnapshotWalk walk(source);
  RETURN_IF_ERROR(walk.Visit(parsed.tree, 0));
  SnapshotSize size;
  size.objects = static_cast<uint32_t>(1 + walk.trees().size() + walk.blobs().size());
  PackWriter writer(size.objects, [&](absl::string_view chunk) {
    size.bytes += chunk.size();
    return sink(chunk);
  });
  RETURN_IF_ERROR(writer.Add(ObjectType::kCommit, head));
  for (const Oid& tree : walk.trees()) {
    const auto read = [&] { return source.ReadAs(ObjectType::kTree, tree, kTreeSizeMax); };
    RETURN_IF_ERROR(AddObject(ObjectType::kTree, tree, read, options.cache, writer));
  }
  for (const Oid& blob : walk.blobs()) {
    const auto read = [&] { return ReadBlob(source, blob, options.blob_size_max); };
    RETURN_IF_ERROR(AddObject(ObjectType::kBlob, blob, read, options.cache, writer));
  }
  RETURN_IF_ERROR(writer.Finish());
  return size;
}

struct SnapshotReceiver::Indexing {
  IndexerPtr indexer;
  git_indexer_progress progress = {};
};

SnapshotReceiver::SnapshotReceiver(Repository repository, Oid commit, std::string branch,
                                   std::unique_ptr<Indexing> indexing)
    : repository_(std::move(repository)),
      commit_(commit),
      branch_(std::move(branch)),
      indexing_(std::move(indexing)) {}
SnapshotReceiver::SnapshotReceiver(SnapshotReceiver&&) noexcept = default;
SnapshotReceiver& SnapshotReceiver::operator=(SnapshotReceiver&&) noexcept = default;
SnapshotReceiver::~SnapshotReceiver() = default;

absl::StatusOr<SnapshotReceiver> SnapshotReceiver::Create(const std::string& directory,
                                                          const Oid& commit,
                                                          absl::string_view branch) {
  StartLibgit();
  RETURN_IF_ERROR(CheckRefName(absl::StrCat("refs/heads/", branch)));
  std::error_code error;
  if (std::filesystem::exists(directory, error) && !std::filesystem::is_empty(directory, error)) {
    return RepositoryExists(directory);
  }
  std::string branch_name(branch);
  git_repository_init_options init = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  init.flags = GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
  init.initial_head = branch_name.c_str();
  git_repository* made = nullptr;
  RETURN_IF_ERROR(LibgitStatus(git_repository_init_ext(&made, directory.c_str(), &init),
                               absl::StrCat("make repository ", directory)));
  git_repository_free(made);
  ASSIGN_OR_RETURN(Repository repository, Repository::Open(directory));
  // Before the pack: without it the parents of the commit count as missing.
  RETURN_IF_ERROR(base::WriteFileAtomic(absl::StrCat(repository.path(), "shallow"),
                                        absl::StrCat(commit.ToHex(), "\n"), 0644));
  auto indexing = std::make_unique<Indexing>();
  git_indexer* indexer = nullptr;
  // Connectivity is checked in Finish: libgit2's own check knows no shallow packs.
  RETURN_IF_ERROR(LibgitStatus(
      git_indexer_new(&indexer, absl::StrCat(repository.path(), "objects/pack").c_str(), 0444,
                      repository.odb(), nullptr),
      "index pack"));
  indexing->indexer.reset(indexer);
  return SnapshotReceiver(std::move(repository), commit, std::move(branch_name),
                          std::move(indexing));
}

absl::Status SnapshotReceiver::Append(absl::string_view bytes) {
  if (indexing_ == nullptr) return absl::FailedPreconditionError("the snapshot is finished");
  const int code = git_indexer_append(indexing_->indexer.get(), bytes.data(), bytes.size(),
                                      &indexing_->progress);
  if (code < 0) return PackInvalid(LibgitStatus(code, "index").message());
  return absl::OkStatus();
}

absl::Status SnapshotReceiver::Finish(WorkTree work_tree) {
  if (indexing_ == nullptr) return absl::FailedPreconditionError("the snapshot is finished");
  const std::unique_ptr<Indexing> indexing = std::move(indexing_);
  const int code = git_indexer_commit(indexing->indexer.get(), &indexing->progress);
  if (code < 0) return PackInvalid(LibgitStatus(code, "finish").message());
  const absl::Status whole = CheckWhole(repository_, commit_);
  if (!whole.ok()) return PackInvalid(whole.message());
  RETURN_IF_ERROR(repository_.CompareAndSwap(absl::StrCat("refs/heads/", branch_), std::nullopt,
                                             commit_, "snapshot"));
  return work_tree == WorkTree::kCheckedOut ? CheckOut() : absl::OkStatus();
}

absl::Status SnapshotReceiver::CheckOut() {
  git_checkout_options options = GIT_CHECKOUT_OPTIONS_INIT;
  options.checkout_strategy = GIT_CHECKOUT_FORCE;
  return LibgitStatus(git_checkout_head(repository_.handle(), &options), "check out");
}

}  // namespace slipway::git
