#include "cli/review/review_check.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/config/config.h"
#include "lib/git/commit.h"
#include "lib/git/git_command.h"
#include "lib/git/overlay.h"
#include "lib/git/repository.h"
#include "lib/policy/glob.h"
#include "slipway/common/v1/policy.pb.h"

namespace slipway::cli {
namespace {

constexpr size_t kErrorBytesMax = 500;

absl::Status BadArgument(absl::string_view what) {
  return base::Error(absl::StatusCode::kInvalidArgument, "ARGUMENT_INVALID", what);
}

absl::Status Unreadable(const std::string& path, absl::string_view why) {
  return base::Error(absl::StatusCode::kNotFound, "FILE_UNREADABLE",
                     absl::StrCat(path, " cannot be read: ", why), {{"path", path}});
}

// One byte more than is accepted is enough: the inspection refuses it by its size.
absl::StatusOr<std::string> ReadPatch(const std::string& path, std::istream& input) {
  constexpr size_t kBytesMax = inspection::kPatchBytesMax + 1;
  if (path != "-") {
    absl::StatusOr<std::string> bytes = base::ReadFile(path, size_t{1} << 30);
    if (!bytes.ok()) return Unreadable(path, bytes.status().message());
    if (bytes->size() > kBytesMax) bytes->resize(kBytesMax);
    return bytes;
  }
  std::string bytes(kBytesMax, '\0');
  input.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(input.gcount()));
  return bytes;
}

using Texts = google::protobuf::RepeatedPtrField<std::string>;

absl::StatusOr<std::vector<std::string>> Patterns(absl::string_view field, const Texts& texts) {
  std::vector<std::string> patterns(texts.begin(), texts.end());
  for (const std::string& pattern : patterns) {
    const std::string problem = policy::GlobProblem(pattern);
    if (!problem.empty()) {
      return BadArgument(absl::StrCat("the pattern '", pattern, "' of ", field, " ", problem));
    }
  }
  return patterns;
}

absl::StatusOr<policy::PathPolicy> PolicyOf(const common::v1::PathPolicy& paths) {
  policy::PathPolicy policy{.allow_binary = paths.allow_binary(),
                            .allow_symlinks = paths.allow_symlinks(),
                            .allow_mode_changes = paths.allow_mode_changes(),
                            .trusted_content = paths.trusted_content(),
                            .files_max = paths.files_max(),
                            .added_lines_max = paths.added_lines_max(),
                            .bytes_max = paths.bytes_max(),
                            .allow_windows_names = paths.allow_windows_names(),
                            .allow_renames = paths.allow_renames(),
                            .binary_bytes_max = paths.binary_bytes_max()};
  ASSIGN_OR_RETURN(policy.allowed, Patterns("paths.allowed", paths.allowed()));
  ASSIGN_OR_RETURN(policy.forbidden, Patterns("paths.forbidden", paths.forbidden()));
  ASSIGN_OR_RETURN(policy.unprotected, Patterns("paths.unprotected", paths.unprotected()));
  ASSIGN_OR_RETURN(policy.binary_paths, Patterns("paths.binary_paths", paths.binary_paths()));
  return policy;
}

// A file holds a whole ProjectPolicy, or what stands below its "paths". No field is in both.
absl::StatusOr<policy::PathPolicy> ReadPolicy(const std::string& path) {
  if (path.empty()) return policy::PathPolicy{};
  const auto whole = config::Load<common::v1::ProjectPolicy>(path);
  if (whole.ok()) return PolicyOf(whole->paths());
  const auto paths = config::Load<common::v1::PathPolicy>(path);
  if (paths.ok()) return PolicyOf(*paths);
  return whole.status();
}

// The commit that a person names in any way that git knows. The name never reaches git as an
// option.
absl::StatusOr<git::Oid> FindCommit(const CheckOptions& options) {
  ASSIGN_OR_RETURN(
      const git::GitOutput found,
      git::RunGitCommand({.directory = options.repository,
                          .arguments = {"rev-parse", "--verify", "--quiet", "--end-of-options",
                                        options.base + "^{commit}"}}));
  if (found.exit_code != 0) {
    return base::Error(
        absl::StatusCode::kNotFound, "COMMIT_UNKNOWN",
        absl::StrCat("the repository has no commit ", base::ToUtf8(options.base, kErrorBytesMax)),
        {{"commit", base::ToUtf8(options.base, kErrorBytesMax)}});
  }
  return git::Oid::Parse(absl::StripSuffix(found.out, "\n"));
}

absl::StatusOr<git::Repository> OpenRepository(const std::string& path) {
  const auto found =
      git::RunGitCommand({.directory = path, .arguments = {"rev-parse", "--absolute-git-dir"}});
  if (!found.ok() || found->exit_code != 0) {
    return base::Error(absl::StatusCode::kFailedPrecondition, "NOT_A_REPOSITORY",
                       absl::StrCat(path, " is not a git repository"), {{"location", path}});
  }
  return git::Repository::Open(std::string(absl::StripSuffix(found->out, "\n")));
}

}  // namespace

absl::StatusOr<inspection::Report> CheckOffline(const CheckOptions& options, std::istream& input) {
  ASSIGN_OR_RETURN(const policy::PathPolicy policy, ReadPolicy(options.policy_file));
  for (const std::string& pattern : options.allowed) {
    const std::string problem = policy::GlobProblem(pattern);
    if (!problem.empty()) {
      return BadArgument(absl::StrCat("the pattern '", pattern, "' of --allow ", problem));
    }
  }
  ASSIGN_OR_RETURN(const git::Repository repository, OpenRepository(options.repository));
  ASSIGN_OR_RETURN(const git::Oid oid, FindCommit(options));
  ASSIGN_OR_RETURN(const git::Commit base, git::ReadCommit(repository, oid));
  ASSIGN_OR_RETURN(const std::string patch, ReadPatch(options.patch, input));
  git::Overlay overlay(repository);
  return inspection::InspectPatch(
      overlay, base.tree,
      {.patch = patch,
       .mode = options.tolerant ? inspection::Mode::kTolerant : inspection::Mode::kStrict,
       .policy = policy,
       .task_allowed = options.allowed,
       .expected_tree = options.expected_tree});
}

std::string JsonOf(const inspection::Report& report) {
  nlohmann::ordered_json reasons = nlohmann::ordered_json::array();
  for (const policy::Finding& finding : report.findings) {
    reasons.push_back({{"code", finding.code}, {"path", finding.path}, {"detail", finding.detail}});
  }
  const nlohmann::ordered_json json = {{"verdict", std::string(policy::NameOf(report.verdict()))},
                                       {"reasons", std::move(reasons)},
                                       {"tree", report.tree.IsNull() ? "" : report.tree.ToHex()},
                                       {"normalised", report.normalised},
                                       {"paths", report.paths},
                                       {"added", report.added},
                                       {"removed", report.removed}};
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace slipway::cli
