#include "services/models/domain/call_check.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/digest.h"
#include "lib/base/resource_name.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t size = base::Utf8SequenceLength(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

absl::Status CheckMessages(const CallSpec& spec) {
  if (spec.wire != nullptr) return absl::OkStatus();  // Whoever read it has checked it.
  if (spec.messages.empty()) return PromptInvalid("messages is empty: send at least one turn");
  if (spec.messages.size() > kMessagesMax) {
    return PromptInvalid(absl::StrCat("more than ", kMessagesMax, " messages"));
  }
  if (spec.messages.back().speaker == Speaker::kAssistant) {
    return PromptInvalid("the last message is the model's own: end with one of the user");
  }
  size_t bytes = spec.response_schema.size();
  for (const Message& message : spec.messages) {
    if (!IsUtf8(message.text)) return PromptInvalid("a message is not UTF-8 text");
    bytes += message.text.size();
  }
  if (bytes > kPromptBytesMax) {
    return PromptTooLarge(spec.role, static_cast<int64_t>(bytes), kPromptBytesMax);
  }
  return absl::OkStatus();
}

absl::Status CheckBelow(absl::string_view pattern, const std::string& name,
                        const std::string& parent) {
  if (name.empty()) return absl::OkStatus();
  if (!base::MatchName(pattern, name).ok()) {
    return ScopeInvalid(absl::StrCat("\"", name.substr(0, 200), "\" is not like ", pattern));
  }
  if (!absl::StartsWith(name, absl::StrCat(parent, "/"))) {
    return ScopeInvalid(absl::StrCat(name, " is not below \"", parent, "\""));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCall(const CallSpec& spec) {
  const bool printable = std::all_of(spec.call_id.begin(), spec.call_id.end(),
                                     [](char c) { return absl::ascii_isgraph(c); });
  if (spec.call_id.empty() || spec.call_id.size() > kCallIdBytesMax || !printable) {
    return CallIdInvalid(spec.call_id);
  }
  if (spec.output_tokens_max < 0 || spec.key_limit_usd_nanos < 0) return LimitInvalid();
  RETURN_IF_ERROR(CheckScopes(spec.scopes));
  return CheckMessages(spec);
}

absl::Status CheckScopes(const Scopes& scopes) {
  if (!base::MatchName("projects/*", scopes.project).ok()) {
    return ScopeInvalid(
        absl::StrCat("project \"", scopes.project.substr(0, 200), "\" is not like projects/*"));
  }
  RETURN_IF_ERROR(CheckBelow("projects/*/plans/*", scopes.plan, scopes.project));
  RETURN_IF_ERROR(CheckBelow("projects/*/plans/*/tasks/*", scopes.task, scopes.plan));
  return CheckBelow("projects/*/plans/*/tasks/*/attempts/*", scopes.attempt, scopes.task);
}

absl::Status CheckScopeOfWork(const std::string& scope) {
  for (const char* pattern : {"projects/*", "projects/*/plans/*", "projects/*/plans/*/tasks/*"}) {
    if (base::MatchName(pattern, scope).ok()) return absl::OkStatus();
  }
  return ScopeInvalid(absl::StrCat(
      "\"", scope.substr(0, 200), "\" names no project, plan or task: projects/*/plans/*/tasks/*"));
}

absl::Status ScopesOfAttempt(const std::string& attempt, Scopes& scopes) {
  const absl::StatusOr<std::vector<std::string>> ids =
      base::MatchName("projects/*/plans/*/tasks/*/attempts/*", attempt);
  if (!ids.ok()) {
    return ScopeInvalid(absl::StrCat("attempt \"", attempt.substr(0, 200),
                                     "\" is not like projects/*/plans/*/tasks/*/attempts/*"));
  }
  scopes.project = absl::StrCat("projects/", (*ids)[0]);
  scopes.plan = absl::StrCat(scopes.project, "/plans/", (*ids)[1]);
  scopes.task = absl::StrCat(scopes.plan, "/tasks/", (*ids)[2]);
  scopes.attempt = attempt;
  return absl::OkStatus();
}

std::string Fingerprint(const CallSpec& spec) {
  std::string all;
  const auto add = [&all](absl::string_view part) {
    absl::StrAppend(&all, part.size(), ":", part);
  };
  for (const std::string* part :
       {&spec.role, &spec.scopes.project, &spec.scopes.plan, &spec.scopes.task,
        &spec.scopes.attempt, &spec.response_schema, &spec.envelope, &spec.intent}) {
    add(*part);
  }
  if (spec.wire != nullptr) add(spec.wire->body);
  add(absl::StrCat(spec.output_tokens_max));
  for (const Message& message : spec.messages) {
    add(absl::StrCat(static_cast<int>(message.speaker)));
    add(message.text);
  }
  return base::Sha256Hex(all);
}

}  // namespace slipway::models
