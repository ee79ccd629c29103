#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace slipway::reviewer {

// A command that decides whether a tree is good.
struct Validator {
  std::string name;
  std::vector<std::string> command;
  absl::Duration run_timeout = absl::ZeroDuration();
  std::string directory;
  std::string output_format;
  friend bool operator==(const Validator&, const Validator&) = default;
};

// What patches of a project may do. Zero limits mean the defaults in limits.h.
struct PathPolicy {
  std::vector<std::string> allowed;
  std::vector<std::string> forbidden;
  std::vector<std::string> unprotected;
  bool allow_binary = false;
  bool allow_symlinks = false;
  bool allow_mode_changes = false;
  bool trusted_content = false;
  int files_max = 0;
  int added_lines_max = 0;
  int64_t bytes_max = 0;
  friend bool operator==(const PathPolicy&, const PathPolicy&) = default;
};

struct ReviewPolicy {
  std::string critic_role;  // Empty: no model judges.
  std::vector<std::string> council_roles;
  bool human_approval = false;
  friend bool operator==(const ReviewPolicy&, const ReviewPolicy&) = default;
};

enum class IntegrationMode { kNone, kBranch, kMerge };

// What a project allows, as it was when a plan was opened.
struct ProjectPolicy {
  std::vector<Validator> validators;
  PathPolicy paths;
  ReviewPolicy review;
  IntegrationMode integration = IntegrationMode::kBranch;
  friend bool operator==(const ProjectPolicy&, const ProjectPolicy&) = default;
};

}  // namespace slipway::reviewer
