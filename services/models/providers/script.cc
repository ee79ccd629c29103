#include "services/models/providers/script.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "nlohmann/json.hpp"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"

namespace slipway::models {
namespace {

using nlohmann::json;

constexpr size_t kScriptBytesMax = 32u << 20;
constexpr int64_t kMillisecondsMax = 24 * 3'600'000;

// Reads one rule, remembering the first problem.
class RuleReader final {
 public:
  RuleReader(const json& value, std::string place) : value_(value), place_(std::move(place)) {}

  const absl::Status& status() const { return status_; }
  void Fail(absl::string_view problem) {
    if (status_.ok()) status_ = ConfigInvalid(absl::StrCat(place_, ": ", problem));
  }

  const json* Find(const char* name) {
    known_.insert(name);
    const auto found = value_.find(name);
    return found == value_.end() ? nullptr : &*found;
  }
  std::string Text(const char* name) {
    const json* found = Find(name);
    if (found == nullptr) return "";
    if (!found->is_string()) return Fail(absl::StrCat(name, " must be text")), "";
    return found->get<std::string>();
  }
  std::optional<int64_t> Number(const char* name, int64_t max) {
    const json* found = Find(name);
    if (found == nullptr) return std::nullopt;
    if (!found->is_number_integer() || found->get<int64_t>() < 0 || found->get<int64_t>() > max) {
      Fail(absl::StrCat(name, " must be a whole number from 0 to ", max));
      return std::nullopt;
    }
    return found->get<int64_t>();
  }
  std::vector<std::string> Texts(const char* name) {
    std::vector<std::string> texts;
    const json* found = Find(name);
    if (found == nullptr) return texts;
    if (!found->is_array()) return Fail(absl::StrCat(name, " must be a list of texts")), texts;
    for (const json& text : *found) {
      if (!text.is_string()) return Fail(absl::StrCat(name, " must be a list of texts")), texts;
      texts.push_back(text.get<std::string>());
    }
    return texts;
  }
  void RefuseOthers() {
    for (const auto& [name, item] : value_.items()) {
      if (known_.count(name) == 0) Fail(absl::StrCat("unknown field \"", name, "\""));
    }
  }

 private:
  const json& value_;
  const std::string place_;
  std::set<std::string> known_;
  absl::Status status_;
};

absl::StatusOr<ScriptFault> ReadFault(const json& value, const std::string& place) {
  if (!value.is_object()) return ConfigInvalid(absl::StrCat(place, ": fault must be an object"));
  RuleReader reader(value, absl::StrCat(place, ": fault"));
  ScriptFault fault;
  const std::string kind = reader.Text("kind");
  if (kind == "http_error") {
    fault.kind = ScriptFault::Kind::kHttpError;
  } else if (kind == "rate_limit") {
    fault.kind = ScriptFault::Kind::kRateLimit;
  } else if (kind == "drop") {
    fault.kind = ScriptFault::Kind::kDrop;
  } else if (kind == "hang") {
    fault.kind = ScriptFault::Kind::kHang;
  } else if (kind == "stream_error") {
    fault.kind = ScriptFault::Kind::kStreamError;
  } else if (kind == "usage_in_error") {
    fault.kind = ScriptFault::Kind::kUsageInError;
  } else if (kind == "no_usage") {
    fault.kind = ScriptFault::Kind::kNoUsage;
  } else if (kind == "usage_twice") {
    fault.kind = ScriptFault::Kind::kUsageTwice;
  } else {
    reader.Fail(absl::StrCat("kind \"", kind,
                             "\" is none of http_error, rate_limit, drop, hang, stream_error, "
                             "usage_in_error, no_usage, usage_twice"));
  }
  fault.status = static_cast<int>(reader.Number("status", 599).value_or(500));
  if (fault.status < 400) reader.Fail("status must be 400 to 599");
  if (const auto after = reader.Number("retry_after_ms", kMillisecondsMax)) {
    fault.retry_after = absl::Milliseconds(*after);
  }
  fault.after_bytes = static_cast<size_t>(reader.Number("after_bytes", kReplyBytesMax).value_or(0));
  reader.RefuseOthers();
  RETURN_IF_ERROR(reader.status());
  return fault;
}

absl::StatusOr<std::string> ReadReply(RuleReader& reader, const std::string& directory) {
  const json* text = reader.Find("reply");
  const json* file = reader.Find("reply_file");
  const json* value = reader.Find("reply_json");
  const json* fault = reader.Find("fault");
  const int given = (text != nullptr) + (file != nullptr) + (value != nullptr);
  if (given > 1) reader.Fail("give one of reply, reply_file, reply_json");
  if (given == 0 && fault == nullptr && reader.Find("tool_calls") == nullptr)
    reader.Fail("reply, reply_file or reply_json is missing");
  if (value != nullptr) return value->dump(2, ' ', false, json::error_handler_t::replace);
  if (file == nullptr) return reader.Text("reply");
  const std::string name = reader.Text("reply_file");
  const std::string path = absl::StartsWith(name, "/") ? name : absl::StrCat(directory, "/", name);
  absl::StatusOr<std::string> content = base::ReadFile(path, kReplyBytesMax);
  if (content.ok()) return content;
  reader.Fail(absl::StrCat("reply_file ", path, ": ", content.status().message()));
  return std::string();
}

std::vector<ScriptedToolCall> ReadToolCalls(RuleReader& reader) {
  std::vector<ScriptedToolCall> calls;
  const json* found = reader.Find("tool_calls");
  if (found == nullptr) return calls;
  for (const json& call : *found) {
    const bool good = call.is_object() && call.size() == 2 && call.contains("name") &&
                      call["name"].is_string() && call.contains("arguments") &&
                      call["arguments"].is_object();
    if (!good) return reader.Fail("tool_calls must be a list of {name, arguments}"), calls;
    calls.push_back({call["name"].get<std::string>(), call["arguments"].dump()});
  }
  return calls;
}

absl::StatusOr<ScriptRule> ReadRule(const json& value, const std::string& place,
                                    const std::string& directory) {
  if (!value.is_object()) return ConfigInvalid(absl::StrCat(place, " must be an object"));
  RuleReader reader(value, place);
  ScriptRule rule = {.intent = reader.Text("intent"),
                     .project = reader.Text("project"),
                     .task = reader.Text("task"),
                     .role = reader.Text("role"),
                     .prompt_contains = reader.Texts("prompt_contains"),
                     .prompt_lacks = reader.Texts("prompt_lacks")};
  ASSIGN_OR_RETURN(rule.reply, ReadReply(reader, directory));
  rule.tool_calls = ReadToolCalls(reader);
  if (base::ToUtf8(rule.reply, rule.reply.size()) != rule.reply) reader.Fail("reply is not UTF-8");
  rule.latency = absl::Milliseconds(reader.Number("latency_ms", kMillisecondsMax).value_or(0));
  rule.chunk_bytes = static_cast<size_t>(reader.Number("chunk_bytes", 1 << 20).value_or(0));
  if (const json* usage = reader.Find("usage")) {
    RuleReader counts(*usage, absl::StrCat(place, ": usage"));
    rule.input_tokens = counts.Number("input", 1'000'000'000);
    rule.output_tokens = counts.Number("output", 1'000'000'000);
    for (const auto& [name, count] :
         {std::pair("cache_read", &rule.further_tokens.cache_read),
          std::pair("cache_write", &rule.further_tokens.cache_write),
          std::pair("cache_write_long", &rule.further_tokens.cache_write_long),
          std::pair("reasoning", &rule.further_tokens.reasoning)}) {
      *count = counts.Number(name, 1'000'000'000).value_or(0);
    }
    counts.RefuseOthers();
    RETURN_IF_ERROR(counts.status());
  }
  if (const json* fault = reader.Find("fault")) {
    ASSIGN_OR_RETURN(rule.fault, ReadFault(*fault, place));
  }
  reader.Find("comment");
  reader.RefuseOthers();
  RETURN_IF_ERROR(reader.status());
  return rule;
}

absl::string_view LastSegment(absl::string_view name) {
  const size_t slash = name.rfind('/');
  return slash == absl::string_view::npos ? name : name.substr(slash + 1);
}

}  // namespace

absl::StatusOr<Script> Script::Load(const std::string& path) {
  const absl::StatusOr<std::string> text = base::ReadFile(path, kScriptBytesMax);
  if (!text.ok())
    return ConfigInvalid(absl::StrCat("script ", path, ": ", text.status().message()));
  const json value = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded() || !value.is_object()) {
    return ConfigInvalid(absl::StrCat("script ", path, " is not a JSON object"));
  }
  RuleReader reader(value, absl::StrCat("script ", path));
  if (reader.Number("version", 1'000).value_or(0) != 1) reader.Fail("version must be 1");
  const json* rules = reader.Find("rules");
  if (rules == nullptr || !rules->is_array()) reader.Fail("rules must be a list");
  const json* default_reply = reader.Find("default_reply");
  reader.Find("comment");
  reader.RefuseOthers();
  RETURN_IF_ERROR(reader.status());
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
  Script script;
  for (const json& rule : *rules) {
    const std::string place = absl::StrCat("script ", path, ": rules[", script.rules_.size(), "]");
    ASSIGN_OR_RETURN(ScriptRule read, ReadRule(rule, place, directory));
    script.rules_.push_back(std::move(read));
  }
  if (default_reply != nullptr) {
    script.rules_.push_back({.reply = reader.Text("default_reply")});
    RETURN_IF_ERROR(reader.status());
  }
  return script;
}

const ScriptRule* Script::Find(const ProviderCall& call, const std::string& prompt) const {
  const auto fits = [&](const ScriptRule& rule) {
    if (!rule.intent.empty() && rule.intent != call.intent) return false;
    if (!rule.role.empty() && rule.role != call.role) return false;
    if (!rule.project.empty() && rule.project != LastSegment(call.scopes.project)) return false;
    if (!rule.task.empty() && rule.task != LastSegment(call.scopes.task)) return false;
    for (const std::string& text : rule.prompt_contains) {
      if (!absl::StrContains(prompt, text)) return false;
    }
    for (const std::string& text : rule.prompt_lacks) {
      if (absl::StrContains(prompt, text)) return false;
    }
    return true;
  };
  for (const ScriptRule& rule : rules_) {
    if (fits(rule)) return &rule;
  }
  return nullptr;
}

}  // namespace slipway::models
