#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/domain/grant.h"
#include "agent/runner/git_tree.h"
#include "agent/runner/model_client.h"

namespace slipway::agent {

// What of the repository a prompt may hold. The defaults fit models with 128k tokens of context.
struct PromptBudget {
  size_t files_bytes_max = 192u << 10;
  size_t file_bytes_max = 64u << 10;
  size_t files_max = 200;  // Each costs a call of git.
  size_t listing_bytes_max = 24u << 10;
  size_t feedback_bytes_max = 96u << 10;
  size_t text_bytes_max = 64u << 10;
};

// The conversation that asks for the change. All feedback is in it, each piece shortened if need
// be. Errors of `tree` pass through.
absl::StatusOr<std::vector<ChatMessage>> MakePrompt(const WriteOrder& order, GitTree& tree,
                                                    const PromptBudget& budget = {});

// Adds the model's reply.
void AddReply(const std::string& reply, std::vector<ChatMessage>& messages);
// Asks for another edit in the place of the last reply, which did not apply.
void AskAfterRefusal(const std::string& error, std::vector<ChatMessage>& messages);
// The same, of a reply that applied and whose result a validator fails on.
void AskAfterFindings(const std::string& findings, std::vector<ChatMessage>& messages);

}  // namespace slipway::agent
