#include "agent/runner/conversation.h"

#include "nlohmann/json.hpp"

#include "agent/domain/errors.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

namespace slipway::agent {

using Json = nlohmann::json;

absl::Status SaveConversation(const std::string& path, const std::vector<ChatMessage>& messages) {
  Json list = Json::array();
  for (const ChatMessage& message : messages) {
    list.push_back({{"role", message.role}, {"content", message.content}});
  }
  return base::WriteFileAtomic(path, list.dump(-1, ' ', false, Json::error_handler_t::replace));
}

absl::StatusOr<std::vector<ChatMessage>> LoadConversation(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path));
  try {
    std::vector<ChatMessage> messages;
    for (const Json& message : Json::parse(text)) {
      messages.push_back({.role = message.at("role").get<std::string>(),
                          .content = message.at("content").get<std::string>()});
    }
    return messages;
  } catch (const Json::exception& error) {
    return WorkFileInvalid(error.what());
  }
}

}  // namespace slipway::agent
