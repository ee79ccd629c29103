#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/policy/path_policy.h"

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

using policy::PathPolicy;

struct ReviewPolicy {
  std::string critic_role;  // Empty: no model judges.
  std::vector<std::string> council_roles;
  std::string diagnosis_role;  // Empty: "frontier_reviewer"; "none": nobody is asked.
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
