#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/runner/model_client.h"

namespace slipway::agent {

// A conversation as a file, for the next runner of the same attempt, which goes on with it. The
// file is the runner's own: nothing outside of the sandbox reads it.
absl::Status SaveConversation(const std::string& path, const std::vector<ChatMessage>& messages);

// WorkFileInvalid when the file does not hold what SaveConversation writes.
absl::StatusOr<std::vector<ChatMessage>> LoadConversation(const std::string& path);

}  // namespace slipway::agent
