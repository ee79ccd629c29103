#include "services/planner/domain/plan_reply.h"

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/limits.h"
#include "services/planner/domain/strict_json.h"

namespace slipway::planner {
namespace {

using Json = nlohmann::json;

// The text inside the one fence around `reply`, or `reply` itself.
absl::StatusOr<absl::string_view> WithoutFence(absl::string_view reply) {
  reply = absl::StripAsciiWhitespace(reply);
  if (!absl::ConsumePrefix(&reply, "```")) return reply;
  const size_t line_end = reply.find('\n');
  if (line_end == absl::string_view::npos) return ReplyTruncated("the fence has no content");
  const absl::string_view language = absl::StripAsciiWhitespace(reply.substr(0, line_end));
  if (!language.empty() && !absl::EqualsIgnoreCase(language, "json")) {
    return ReplyNotJson(3, "the fence is marked as another language than json");
  }
  reply.remove_prefix(line_end + 1);
  if (!absl::ConsumeSuffix(&reply, "```")) {
    // Text after the fence and a fence that never ends differ in what the model should do.
    const size_t fence = reply.find("\n```");
    if (fence == absl::string_view::npos) return ReplyTruncated("the fence is not closed");
    return ReplyNotJson(line_end + 4 + fence, "there is text after the fence");
  }
  return reply;
}

// Reads the fields of one object; the first problem is kept and ends all further reading.
class FieldReader final {
 public:
  FieldReader(const Json& object, std::string path, std::initializer_list<const char*> known)
      : object_(object), path_(std::move(path)) {
    if (!object_.is_object()) {
      Fail(ReplyFieldInvalid(
          path_, absl::StrCat("is of type ", object_.type_name(), ", it must be an object")));
      return;
    }
    for (const auto& [key, value] : object_.items()) {
      const bool found = std::any_of(known.begin(), known.end(),
                                     [&key = key](const char* name) { return key == name; });
      if (!found) {
        Fail(ReplyFieldUnknown(At(base::ToUtf8(key, 80)), absl::StrJoin(known, ", ")));
        return;
      }
    }
  }

  std::string Text(const char* field, bool required, size_t bytes_max) {
    const Json* const value = Find(field, required);
    if (value == nullptr) return "";
    return TextOf(*value, At(field), bytes_max);
  }

  std::vector<std::string> Texts(const char* field, bool required) {
    std::vector<std::string> texts;
    const Json* const value = FindArray(field, required, kListMax);
    if (value == nullptr) return texts;
    for (size_t i = 0; i < value->size() && status_.ok(); ++i) {
      texts.push_back(TextOf((*value)[i], absl::StrCat(At(field), "[", i, "]"), kLineBytesMax));
    }
    return texts;
  }

  int Integer(const char* field, int least, int most) {
    const Json* const value = Find(field, /*required=*/false);
    if (value == nullptr) return 0;
    if (!value->is_number_integer() || *value < least || *value > most) {
      Fail(ReplyFieldInvalid(At(field),
                             absl::StrCat("must be a whole number of ", least, " to ", most)));
      return 0;
    }
    return value->get<int>();
  }

  bool Boolean(const char* field) {
    const Json* const value = Find(field, /*required=*/false);
    if (value == nullptr) return false;
    if (!value->is_boolean()) {
      Fail(ReplyFieldInvalid(At(field), "must be true or false"));
      return false;
    }
    return value->get<bool>();
  }

  // One of `names`, by its position.
  size_t OneOf(const char* field, std::initializer_list<const char*> names) {
    const std::string text = Text(field, /*required=*/true, kLineBytesMax);
    size_t position = 0;
    for (const char* const name : names) {
      if (text == name) return position;
      ++position;
    }
    Fail(ReplyFieldInvalid(At(field),
                           absl::StrCat("is '", base::ToUtf8(text, 80), "', it must be one of ",
                                        absl::StrJoin(names, ", "))));
    return 0;
  }

  const Json* FindArray(const char* field, bool required, size_t size_max) {
    const Json* const value = Find(field, required);
    if (value == nullptr) return nullptr;
    if (!value->is_array()) {
      Fail(ReplyFieldInvalid(
          At(field), absl::StrCat("is of type ", value->type_name(), ", it must be an array")));
      return nullptr;
    }
    if (value->size() > size_max) {
      Fail(ReplyFieldInvalid(At(field), absl::StrCat("has ", value->size(), " elements, at most ",
                                                     size_max, " are allowed")));
      return nullptr;
    }
    return value;
  }

  std::string At(absl::string_view field) const { return absl::StrCat(path_, ".", field); }
  const absl::Status& status() const { return status_; }

 private:
  void Fail(absl::Status status) { status_.Update(status); }

  const Json* Find(const char* field, bool required) {
    if (!status_.ok()) return nullptr;
    const auto found = object_.find(field);
    if (found != object_.end() && !found->is_null()) return &*found;
    if (required) Fail(ReplyFieldMissing(At(field)));
    return nullptr;
  }

  std::string TextOf(const Json& value, const std::string& path, size_t bytes_max) {
    if (!value.is_string()) {
      Fail(ReplyFieldInvalid(
          path, absl::StrCat("is of type ", value.type_name(), ", it must be a string")));
      return "";
    }
    const std::string& text = value.get_ref<const std::string&>();
    if (text.size() > bytes_max) {
      Fail(ReplyFieldInvalid(
          path, absl::StrCat("has ", text.size(), " bytes, at most ", bytes_max, " are allowed")));
      return "";
    }
    if (text.find('\0') != std::string::npos) {
      Fail(ReplyFieldInvalid(path, "contains a NUL character"));
      return "";
    }
    return text;
  }

  const Json& object_;
  const std::string path_;
  absl::Status status_;
};

absl::StatusOr<Task> ReadTask(const Json& json, std::string path) {
  FieldReader reader(
      json, std::move(path),
      {"id", "title", "description", "depends_on", "intent", "complexity", "allowed_paths",
       "context_paths", "acceptance", "priority", "critical", "phase"});
  static constexpr Complexity kComplexities[] = {Complexity::kLow, Complexity::kMedium,
                                                 Complexity::kHigh};
  static constexpr const char* kIntents[] = {"code", "test", "docs", "refactor", "config"};
  Task task;
  task.id = reader.Text("id", true, kLineBytesMax);
  task.title = reader.Text("title", true, kTitleBytesMax);
  task.description = reader.Text("description", true, kDescriptionBytesMax);
  task.depends_on = reader.Texts("depends_on", true);
  task.intent = kIntents[reader.OneOf("intent", {"code", "test", "docs", "refactor", "config"})];
  task.complexity = kComplexities[reader.OneOf("complexity", {"low", "medium", "high"})];
  task.allowed_paths = reader.Texts("allowed_paths", true);
  task.context_paths = reader.Texts("context_paths", false);
  task.acceptance = reader.Texts("acceptance", true);
  task.priority = reader.Integer("priority", 0, kPriorityMax);
  task.critical = reader.Boolean("critical");
  task.phase = reader.Text("phase", false, kTitleBytesMax);
  if (!reader.status().ok()) return reader.status();
  if (task.allowed_paths.empty()) {
    return ReplyFieldInvalid(reader.At("allowed_paths"), "must name at least one pattern");
  }
  return task;
}

absl::StatusOr<Requirement> ReadRequirement(const Json& json, std::string path) {
  FieldReader reader(json, std::move(path), {"id", "text", "tasks"});
  Requirement requirement;
  requirement.id = reader.Text("id", true, kTitleBytesMax);
  requirement.text = reader.Text("text", true, kLineBytesMax);
  requirement.tasks = reader.Texts("tasks", true);
  if (!reader.status().ok()) return reader.status();
  return requirement;
}

}  // namespace

absl::StatusOr<PlanContent> ReadPlanReply(absl::string_view reply) {
  if (reply.size() > kReplyBytesMax) {
    return ReplyTooLarge(absl::StrCat(reply.size(), " bytes, at most ", kReplyBytesMax));
  }
  ASSIGN_OR_RETURN(const absl::string_view text, WithoutFence(reply));
  ASSIGN_OR_RETURN(const Json json, ParseStrictJson(text));
  FieldReader reader(
      json, "$", {"summary", "tasks", "requirements", "open_questions", "risks", "test_strategy"});
  PlanContent content;
  content.summary = reader.Text("summary", true, kDescriptionBytesMax);
  const Json* const tasks = reader.FindArray("tasks", true, kReplyTasksMax);
  const Json* const requirements = reader.FindArray("requirements", false, kRequirementsMax);
  content.open_questions = reader.Texts("open_questions", false);
  content.risks = reader.Texts("risks", false);
  content.test_strategy = reader.Text("test_strategy", false, kDescriptionBytesMax);
  if (!reader.status().ok()) return reader.status();

  for (size_t i = 0; i < tasks->size(); ++i) {
    ASSIGN_OR_RETURN(Task task, ReadTask((*tasks)[i], absl::StrCat("$.tasks[", i, "]")));
    content.tasks.push_back(std::move(task));
  }
  for (size_t i = 0; requirements != nullptr && i < requirements->size(); ++i) {
    ASSIGN_OR_RETURN(Requirement requirement,
                     ReadRequirement((*requirements)[i], absl::StrCat("$.requirements[", i, "]")));
    content.requirements.push_back(std::move(requirement));
  }
  return content;
}

}  // namespace slipway::planner
