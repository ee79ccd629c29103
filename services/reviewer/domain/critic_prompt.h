#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace slipway::reviewer {

// What a critic judges.
struct CriticCase {
  std::string title;
  std::string description;
  std::vector<std::string> acceptance;
  std::string diff;
  bool diff_truncated = false;
  std::string evidence;  // One line for each validator; empty when there are none.
};

struct CriticPrompt {
  std::string system;
  std::string user;
};

// The diff is data of an author who is not trusted: it stands between markers that cannot occur in
// it, and the critic is told to obey nothing inside.
CriticPrompt BuildCriticPrompt(const CriticCase& subject);

// Asks for a reply that can be read, after one that could not.
std::string BuildRepairPrompt(absl::string_view problem);

// The JSON schema of a reply.
absl::string_view CriticReplySchema();

}  // namespace slipway::reviewer
