#include "lib/git/repository.h"

#include <unordered_set>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/libgit.h"
#include "lib/git/object_packs.h"
#include "lib/git/ref_name.h"

namespace slipway::git {
namespace {

struct Setting {
  const char* name;
  const char* value;
};
// The git command line runs on these repositories as well, so the configuration is what keeps it
// from running hooks or talking to anybody.
constexpr Setting kSafeSettings[] = {
    {"core.hooksPath", "/dev/null"},
    {"core.fsmonitor", "false"},
    {"core.protectHFS", "true"},
    {"core.protectNTFS", "true"},
    {"core.logAllRefUpdates", "true"},
    {"core.fsync", "all"},
    {"gc.auto", "0"},
    {"maintenance.auto", "false"},
    {"protocol.allow", "never"},
    {"transfer.fsckObjects", "true"},
    {"fetch.fsckObjects", "true"},
    {"receive.fsckObjects", "true"},
};

absl::Status WriteSafeSettings(git_repository* repository) {
  git_config* raw = nullptr;
  RETURN_IF_ERROR(LibgitStatus(git_repository_config(&raw, repository), "open configuration"));
  const ConfigPtr config(raw);
  for (const Setting& setting : kSafeSettings) {
    RETURN_IF_ERROR(LibgitStatus(git_config_set_string(raw, setting.name, setting.value),
                                 absl::StrCat("set ", setting.name)));
  }
  return absl::OkStatus();
}

absl::Status OpenError(int code, const std::string& path) {
  const git_error* error = git_error_last();
  const std::string why = error != nullptr ? error->message : "it cannot be opened";
  if (code == GIT_EOWNER) return RepositoryNotOwned(path);
  return NotARepository(path, why);
}

}  // namespace

Repository::Repository() = default;
Repository::Repository(Repository&&) noexcept = default;
Repository& Repository::operator=(Repository&&) noexcept = default;
Repository::~Repository() = default;

void Repository::RepositoryDeleter::operator()(git_repository* repository) const {
  git_repository_free(repository);
}
void Repository::OdbDeleter::operator()(git_odb* odb) const { git_odb_free(odb); }

absl::StatusOr<Repository> Repository::Adopt(git_repository* repository) {
  Repository adopted;
  adopted.repository_.reset(repository);
  adopted.path_ = git_repository_path(repository);
  git_odb* odb = nullptr;
  RETURN_IF_ERROR(LibgitStatus(git_repository_odb(&odb, repository), "open object store"));
  adopted.odb_.reset(odb);
  RETURN_IF_ERROR(LibgitStatus(git_repository_set_ident(repository, "Slipway", "slipway@localhost"),
                               "set identity"));
  return adopted;
}

absl::StatusOr<Repository> Repository::InitBare(const std::string& path,
                                                const InitOptions& options) {
  StartLibgit();
  RETURN_IF_ERROR(CheckRefName(absl::StrCat("refs/heads/", options.default_branch)));
  git_repository_init_options init = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  init.flags =
      GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
  init.initial_head = options.default_branch.c_str();
  git_repository* repository = nullptr;
  const int code = git_repository_init_ext(&repository, path.c_str(), &init);
  if (code == GIT_EEXISTS) return RepositoryExists(path);
  RETURN_IF_ERROR(LibgitStatus(code, absl::StrCat("make repository ", path)));
  ASSIGN_OR_RETURN(Repository made, Adopt(repository));
  RETURN_IF_ERROR(WriteSafeSettings(repository));
  return made;
}

absl::StatusOr<Repository> Repository::OpenBare(const std::string& path) {
  StartLibgit();
  git_repository* repository = nullptr;
  const int code = git_repository_open_bare(&repository, path.c_str());
  if (code < 0) return OpenError(code, path);
  return Adopt(repository);
}

absl::StatusOr<Repository> Repository::Open(const std::string& path) {
  StartLibgit();
  git_repository* repository = nullptr;
  const int code =
      git_repository_open_ext(&repository, path.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr);
  if (code < 0) return OpenError(code, path);
  return Adopt(repository);
}

// A look-up that misses while packs are joined may have read the list of packs before, and opened
// the packs after; it is made again. Each turn means that packs were joined during it.
template <typename Lookup>
int Repository::LookUp(const Lookup& lookup) const {
  while (true) {
    const uint64_t before = PackJoins();
    const int code = lookup();
    if (code >= 0 || PackJoins() == before) return code;
    git_odb_refresh(odb_.get());
  }
}

absl::StatusOr<Object> Repository::Read(const Oid& oid, size_t size_max) const {
  const git_oid id = ToLibgit(oid);
  size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  int code = LookUp([&] { return git_odb_read_header(&size, &type, odb_.get(), &id); });
  if (code == GIT_ENOTFOUND) return ObjectMissing(oid);
  if (code < 0) return ObjectCorrupt(oid, LibgitStatus(code, "read").message());
  if (size > size_max) return ObjectTooLarge(oid, size, size_max);
  git_odb_object* raw = nullptr;
  code = LookUp([&] { return git_odb_read(&raw, odb_.get(), &id); });
  if (code == GIT_ENOTFOUND) return ObjectMissing(oid);
  if (code < 0) return ObjectCorrupt(oid, LibgitStatus(code, "read").message());
  const OdbObjectPtr object(raw);
  return Object{.type = static_cast<ObjectType>(git_odb_object_type(raw)),
                .bytes = std::string(static_cast<const char*>(git_odb_object_data(raw)),
                                     git_odb_object_size(raw))};
}

absl::StatusOr<uint64_t> Repository::SizeOf(const Oid& oid) const {
  const git_oid id = ToLibgit(oid);
  size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  const int code = LookUp([&] { return git_odb_read_header(&size, &type, odb_.get(), &id); });
  if (code == GIT_ENOTFOUND) return ObjectMissing(oid);
  if (code < 0) return ObjectCorrupt(oid, LibgitStatus(code, "read").message());
  return size;
}

bool Repository::Contains(const Oid& oid) const {
  const git_oid id = ToLibgit(oid);
  return LookUp([&] { return git_odb_exists(odb_.get(), &id) == 1 ? 0 : GIT_ENOTFOUND; }) == 0;
}

absl::StatusOr<std::vector<Commit>> Repository::History(const Oid& tip,
                                                        const HistoryOptions& options) const {
  std::vector<Commit> commits;
  Oid next = tip;
  const bool cut_off = git_repository_is_shallow(repository_.get()) == 1;
  while (commits.size() < options.limit) {
    if (cut_off && next != tip && !Contains(next)) break;
    ASSIGN_OR_RETURN(Commit commit, ReadCommit(*this, next));
    const std::optional<Oid> parent =
        commit.parents.empty() ? std::nullopt : std::optional<Oid>(commit.parents.front());
    if (!options.skip_merges || commit.parents.size() < 2) commits.push_back(std::move(commit));
    if (!parent.has_value()) break;
    next = *parent;
  }
  return commits;
}

absl::StatusOr<bool> Repository::IsAncestor(const Oid& ancestor, const Oid& commit) const {
  if (!Contains(ancestor)) return ObjectMissing(ancestor);
  if (!Contains(commit)) return ObjectMissing(commit);
  if (ancestor == commit) return true;
  if (git_repository_is_shallow(repository_.get()) == 1) return WalkToAncestor(ancestor, commit);
  const git_oid above = ToLibgit(commit);
  const git_oid below = ToLibgit(ancestor);
  const int code =
      LookUp([&] { return git_graph_descendant_of(repository_.get(), &above, &below); });
  RETURN_IF_ERROR(LibgitStatus(code, "walk history"));
  return code == 1;
}

// libgit2's walks know no cut in history: they miss the parents of where it is.
absl::StatusOr<bool> Repository::WalkToAncestor(const Oid& ancestor, const Oid& commit) const {
  ASSIGN_OR_RETURN(
      const std::string cuts,
      base::ReadFile(absl::StrCat(git_repository_commondir(repository_.get()), "shallow")));
  std::unordered_set<Oid, absl::Hash<Oid>> ends;
  for (const absl::string_view line : absl::StrSplit(cuts, '\n', absl::SkipEmpty())) {
    ASSIGN_OR_RETURN(const Oid end, Oid::Parse(line));
    ends.insert(end);
  }
  std::unordered_set<Oid, absl::Hash<Oid>> seen = {commit};
  std::vector<Oid> waiting = {commit};
  while (!waiting.empty()) {
    const Oid next = waiting.back();
    waiting.pop_back();
    if (next == ancestor) return true;
    if (ends.contains(next)) continue;
    ASSIGN_OR_RETURN(const Commit read, ReadCommit(*this, next));
    for (const Oid& parent : read.parents) {
      if (seen.insert(parent).second) waiting.push_back(parent);
    }
  }
  return false;
}

}  // namespace slipway::git
