#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace slipway::planner {

// How much structure a plan has.
enum class Rigor { kUnspecified = 0, kQuick = 1, kStandard = 2, kThorough = 3 };

// The fields mirror slipway/common/v1/policy.proto, whose comments say what they mean.
struct Validator {
  std::string name;
  std::vector<std::string> command;
  absl::Duration run_timeout;
  std::string directory;
  std::string output_format;

  friend bool operator==(const Validator&, const Validator&) = default;
};

struct PathPolicy {
  std::vector<std::string> allowed;
  std::vector<std::string> forbidden;
  std::vector<std::string> unprotected;
  bool allow_binary = false;
  bool allow_symlinks = false;
  bool allow_mode_changes = false;
  int files_max = 0;
  int added_lines_max = 0;
  int64_t bytes_max = 0;
  bool trusted_content = false;
  bool allow_windows_names = false;
  bool allow_renames = false;
  std::vector<std::string> binary_paths;
  int64_t binary_bytes_max = 0;

  friend bool operator==(const PathPolicy&, const PathPolicy&) = default;
};

struct ReviewPolicy {
  std::string critic_role;
  std::vector<std::string> council_roles;
  std::string diagnosis_role;  // Says why a task fails; empty: "frontier_reviewer"; "none": nobody.
  bool human_approval = false;

  friend bool operator==(const ReviewPolicy&, const ReviewPolicy&) = default;
};

enum class IntegrationMode { kUnspecified = 0, kNone = 1, kBranch = 2, kMerge = 3 };

struct AttemptPolicy {
  std::optional<int> retries_max;
  absl::Duration attempt_timeout;
  int64_t task_limit_usd_nanos = 0;
  bool skip_agent_checks = false;

  friend bool operator==(const AttemptPolicy&, const AttemptPolicy&) = default;
};

struct ProjectPolicy {
  std::vector<Validator> validators;
  PathPolicy paths;
  ReviewPolicy review;
  IntegrationMode integration_mode = IntegrationMode::kUnspecified;
  AttemptPolicy attempts;
  int parallel_max = 0;

  friend bool operator==(const ProjectPolicy&, const ProjectPolicy&) = default;
};

enum class ProjectState { kActive = 1, kArchived = 2 };

// One repository and its policy.
struct Project {
  std::string id;
  std::string title;
  std::string repository;
  std::string target_branch;
  std::string plan_tier;
  Rigor rigor = Rigor::kUnspecified;
  ProjectPolicy policy;
  ProjectState state = ProjectState::kActive;
  int64_t version = 0;
  absl::Time create_time;

  std::string name() const { return "projects/" + id; }
  friend bool operator==(const Project&, const Project&) = default;
};

}  // namespace slipway::planner
