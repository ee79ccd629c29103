#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "lib/git/pack_cache.h"
#include "lib/git/pack_writer.h"
#include "lib/rpc/call.h"
#include "services/reviewer/flow/workshop.h"
#include "slipway/repository/v1/repository_service.pb.h"

namespace slipway::reviewer {

// The methods of RepositoryService. All block; thread-safe.
class RepositoryHandlers final {
 public:
  explicit RepositoryHandlers(const Workshop& workshop) : workshop_(workshop) {}

  absl::StatusOr<repository::v1::CheckRepositoryResponse> CheckRepository(
      const rpc::Call& call, const repository::v1::CheckRepositoryRequest& request);
  absl::StatusOr<repository::v1::OpenPlanResponse> OpenPlan(
      const rpc::Call& call, const repository::v1::OpenPlanRequest& request);
  absl::StatusOr<repository::v1::ListFilesResponse> ListFiles(
      const rpc::Call& call, const repository::v1::ListFilesRequest& request);
  absl::StatusOr<repository::v1::ReadFileResponse> ReadFile(
      const rpc::Call& call, const repository::v1::ReadFileRequest& request);
  absl::StatusOr<repository::v1::GetDiffResponse> GetDiff(
      const rpc::Call& call, const repository::v1::GetDiffRequest& request);
  absl::StatusOr<repository::v1::ListCommitsResponse> ListCommits(
      const rpc::Call& call, const repository::v1::ListCommitsRequest& request);

  // Writes the pack of a snapshot to `sink`, after the base of the difference, or nothing, went to
  // `begin`.
  absl::Status WriteSnapshot(const repository::v1::GetSnapshotRequest& request,
                             absl::FunctionRef<void(const std::string& base_commit)> begin,
                             const git::ByteSink& sink);

 private:
  // The two commits that a diff is of.
  struct Range {
    std::string project_id;
    std::string from;
    std::string to;
  };
  absl::StatusOr<Range> RangeOf(const repository::v1::GetDiffRequest& request);
  absl::StatusOr<Range> RangeOfAttempt(const Names& names, const std::string& attempt);
  absl::StatusOr<Range> RangeOfTask(const Names& names, const std::string& task);

  const Workshop& workshop_;
  git::PackCache packed_;
};

}  // namespace slipway::reviewer
