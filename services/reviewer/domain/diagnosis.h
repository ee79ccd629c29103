#pragma once

#include <string>
#include <vector>

namespace slipway::reviewer {

// A task whose attempts failed.
struct FailedTask {
  std::string title;
  std::string description;
  std::vector<std::string> acceptance;
  std::vector<std::string> allowed_paths;  // Empty: every path that the project allows.
  std::string question;
  std::vector<std::string> feedback;  // Of failed attempts, oldest first.
  std::vector<std::string> attempts;  // One line each, oldest first.
  std::string change;                 // The newest, without secrets; empty when there is none.
};

// What a model would decide.
enum class Advice { kNone, kRetry, kEdit, kSkip, kFail };

// Why it fails, as a model sees it.
struct Diagnosis {
  std::string cause;
  std::vector<std::string> findings;
  std::string guidance;
  Advice advice = Advice::kNone;
  std::string role;  // That was asked; empty: none.
};

}  // namespace slipway::reviewer
