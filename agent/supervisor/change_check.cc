#include "agent/supervisor/change_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "agent/domain/errors.h"
#include "agent/domain/file_map_view.h"
#include "agent/domain/limits.h"
#include "agent/supervisor/snapshot.h"
#include "agent/supervisor/validation.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/git/commit.h"
#include "lib/git/overlay.h"
#include "lib/git/pack_file.h"
#include "lib/git/snapshot.h"
#include "lib/git/tree.h"
#include "lib/patch/applier.h"
#include "lib/patch/patch.h"
#include "lib/patch/unified_parser.h"

namespace slipway::agent {
namespace {

constexpr uint32_t kTypeMask = 0170000;

absl::Status WritePack(const git::ObjectSource& source, const git::Oid& commit,
                       const std::string& path) {
  const base::UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid()) return base::ErrnoStatus(errno, path);
  return git::WriteSnapshotPack(source, commit,
                                [&](absl::string_view bytes) -> absl::Status {
                                  while (!bytes.empty()) {
                                    const ssize_t written =
                                        write(file.get(), bytes.data(), bytes.size());
                                    if (written < 0 && errno == EINTR) continue;
                                    if (written < 0) return base::ErrnoStatus(errno, path);
                                    bytes.remove_prefix(static_cast<size_t>(written));
                                  }
                                  return absl::OkStatus();
                                })
      .status();
}

CheckVerdict VerdictOf(const std::vector<ValidatorOutcome>& outcomes) {
  if (outcomes.empty() || outcomes.back().passed()) return CheckVerdict::kPassed;
  return outcomes.back().not_run ? CheckVerdict::kNotRun : CheckVerdict::kFailed;
}

}  // namespace

// The snapshot's tree, as what a patch is applied to.
class SnapshotView final : public FileMapView {
 public:
  explicit SnapshotView(const git::ObjectSource& source) : source_(source) {}

  absl::Status Load(const git::Oid& tree) {
    ASSIGN_OR_RETURN(const std::vector<git::TreeFile> files,
                     git::ListFiles(source_, tree, git::kSnapshotObjectsMax));
    for (const git::TreeFile& file : files) {
      // Modes of old trees (0100664) count as what git makes of them.
      const bool regular = (file.mode & kTypeMask) == (patch::kRegular & kTypeMask);
      const uint32_t permission = (file.mode & 0100) != 0 ? patch::kExecutable : patch::kRegular;
      files_[file.path] = {.mode = regular ? permission : file.mode, .oid = file.oid.ToHex()};
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Read(absl::string_view oid) override {
    ASSIGN_OR_RETURN(const git::Oid blob, git::Oid::Parse(oid));
    return git::ReadBlob(source_, blob, patch::Limits().file_bytes_max);
  }

 private:
  const git::ObjectSource& source_;
};

struct ChangeCheck::Workshop {
  Workshop(git::PackFile snapshot, git::Commit base)
      : pack(std::move(snapshot)), commit(std::move(base)) {}

  const git::PackFile pack;
  const git::Commit commit;
  SnapshotView view{pack};
};

absl::Status ChangeCheck::Open() {
  ASSIGN_OR_RETURN(git::PackFile pack,
                   git::PackFile::Open(directory_.pack(), directory_.pack_index()));
  ASSIGN_OR_RETURN(const git::Oid oid, git::Oid::Parse(commit_));
  ASSIGN_OR_RETURN(git::Commit commit, git::ReadCommit(pack, oid));
  auto workshop = std::make_shared<Workshop>(std::move(pack), std::move(commit));
  RETURN_IF_ERROR(workshop->view.Load(workshop->commit.tree));
  workshop_ = std::move(workshop);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ChangeCheck::Prepare(const Change& change,
                                                 const AttemptDirectory& candidate_directory) {
  if (workshop_ == nullptr) RETURN_IF_ERROR(Open());
  // As the reviewer reads it: strictly, and without git.
  ASSIGN_OR_RETURN(const patch::Patch parsed, patch::ParseUnified(change.patch));
  ASSIGN_OR_RETURN(const std::vector<patch::TreeChange> changes,
                   patch::Apply(parsed, workshop_->view));
  git::Overlay overlay(workshop_->pack);
  git::TreeChanges tree_changes;
  for (const patch::TreeChange& one : changes) {
    std::optional<git::FileChange>& entry = tree_changes[one.path];
    if (!one.after.has_value()) continue;
    ASSIGN_OR_RETURN(const git::Oid blob, overlay.PutBlob(one.after->content));
    entry = git::FileChange{.mode = one.after->mode, .oid = blob};
  }
  git::Commit candidate = workshop_->commit;
  ASSIGN_OR_RETURN(candidate.tree, overlay.WriteTree(candidate.tree, tree_changes));
  if (candidate.tree.ToHex() != change.tree) {
    return TreeMismatch(change.tree, candidate.tree.ToHex());
  }
  ASSIGN_OR_RETURN(const git::Oid oid, overlay.PutCommit(candidate));
  RETURN_IF_ERROR(WritePack(overlay, oid, candidate_directory.pack()));
  return oid.ToHex();
}

absl::StatusOr<CheckVerdict> ChangeCheck::Run(Change& change, absl::Duration deadline) {
  context_.report.SetPhase("check");
  const auto not_run = [this](absl::string_view why) {
    context_.report.Log(absl::StrCat("== the change could not be checked here: ", why, "\n"));
    return CheckVerdict::kNotRun;
  };
  absl::StatusOr<AttemptDirectory> directory = directory_.Nested("candidate");
  if (!directory.ok()) return not_run(directory.status().message());
  const absl::StatusOr<std::string> commit = Prepare(change, *directory);
  if (!commit.ok()) return not_run(base::ToUtf8(commit.status().message(), kDetailBytesMax));
  const CheckOrder order{.validators = order_.validators,
                         .tree = change.tree,
                         .phase = "check",
                         .secrets = {order_.model_key},
                         .log_bytes_max = kCheckLogBytesMax};
  const absl::StatusOr<Result> result =
      Validate(settings_, *commit, order, deadline, *directory, context_);
  if (base::ReasonOf(result.status()) == "GRANT_LOST") return result.status();
  if (!result.ok()) return not_run(base::ToUtf8(result.status().message(), kDetailBytesMax));
  const auto* const evidence = std::get_if<Evidence>(&*result);
  if (evidence == nullptr) return not_run("the attempt's time was over, or it was stopped");
  change.outcomes = evidence->outcomes;
  for (ValidatorOutcome& outcome : change.outcomes) {
    context_.report.Progress({.phase = "check", .detail = base::ToUtf8(OutcomeText(outcome), 200)});
  }
  return VerdictOf(change.outcomes);
}

}  // namespace slipway::agent
