#include "lib/patch/json_edit.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "lib/base/status_macros.h"
#include "lib/patch/refusal.h"

namespace slipway::patch {
namespace {

using Json = nlohmann::json;

constexpr int kDepthMax = 32;

absl::Status BadJson(absl::string_view message) { return Refused("JSON", message); }

// Parses one document, refusing what nlohmann's parser lets pass.
absl::StatusOr<Json> ParseStrictly(absl::string_view text) {
  std::vector<std::set<std::string>> keys;  // Of the objects that are open.
  std::string wrong;
  const auto check = [&](int depth, Json::parse_event_t event, Json& value) {
    switch (event) {
      case Json::parse_event_t::object_start:
        keys.emplace_back();
        [[fallthrough]];
      case Json::parse_event_t::array_start:
        if (depth >= kDepthMax) wrong = absl::StrCat("nested deeper than ", kDepthMax);
        break;
      case Json::parse_event_t::object_end:
        keys.pop_back();
        break;
      case Json::parse_event_t::key:
        if (!keys.back().insert(value.get_ref<const std::string&>()).second) {
          wrong = absl::StrCat("the key ", Shown(value.get_ref<const std::string&>()),
                               " occurs twice in one object");
        }
        break;
      case Json::parse_event_t::value:
        if (value.is_string() &&
            value.get_ref<const std::string&>().find('\0') != std::string::npos) {
          wrong = "a string holds a NUL character";
        }
        break;
      default:
        break;
    }
    return wrong.empty();
  };
  Json document;
  try {
    document = Json::parse(text.begin(), text.end(), check);
  } catch (const Json::exception& error) {
    return BadJson(
        absl::StrCat("the reply is not valid JSON in UTF-8: ", Shown(error.what(), 300)));
  }
  if (!wrong.empty()) return BadJson(wrong);
  return document;
}

// The string under `key`; fails when it is absent or no string.
absl::StatusOr<std::string> String(const Json& object, const char* key, size_t index) {
  const auto value = object.find(key);
  if (value == object.end() || !value->is_string()) {
    return BadJson(absl::StrCat("edits[", index, "] needs the string \"", key, "\""));
  }
  return value->get<std::string>();
}

absl::Status CheckKeys(const Json& object, const std::set<std::string>& allowed, size_t index) {
  for (const auto& [key, value] : object.items()) {
    if (allowed.count(key) == 0 && key != "reason" && key != "comment" && key != "explanation") {
      return BadJson(absl::StrCat("edits[", index, "] has the key ", Shown(key),
                                  ", which its \"op\" does not take"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<JsonEdit> EditFrom(const Json& object, size_t index) {
  if (!object.is_object()) return BadJson(absl::StrCat("edits[", index, "] is not an object"));
  JsonEdit edit;
  ASSIGN_OR_RETURN(edit.path, String(object, "path", index));
  ASSIGN_OR_RETURN(const std::string op, String(object, "op", index));
  if (op == "write") {
    RETURN_IF_ERROR(CheckKeys(object, {"path", "op", "content", "executable"}, index));
    ASSIGN_OR_RETURN(edit.content, String(object, "content", index));
    const auto executable = object.find("executable");
    if (executable != object.end()) {
      if (!executable->is_boolean()) {
        return BadJson(absl::StrCat("edits[", index, "].executable must be true or false"));
      }
      edit.executable = executable->get<bool>();
    }
  } else if (op == "replace") {
    edit.op = JsonEdit::Op::kReplace;
    RETURN_IF_ERROR(CheckKeys(object, {"path", "op", "old", "new"}, index));
    ASSIGN_OR_RETURN(edit.old_text, String(object, "old", index));
    ASSIGN_OR_RETURN(edit.new_text, String(object, "new", index));
    if (edit.old_text.empty() || edit.old_text == edit.new_text) {
      return BadJson(absl::StrCat("edits[", index,
                                  "]: \"old\" must not be empty and must differ "
                                  "from \"new\"; to create a file use \"write\""));
    }
  } else if (op == "delete") {
    edit.op = JsonEdit::Op::kDelete;
    RETURN_IF_ERROR(CheckKeys(object, {"path", "op"}, index));
  } else {
    return BadJson(absl::StrCat("edits[", index, "].op is ", Shown(op),
                                "; it must be \"write\", \"replace\" or \"delete\""));
  }
  return edit;
}

}  // namespace

absl::StatusOr<JsonReply> ReadJsonReply(absl::string_view text, size_t edits_max) {
  ASSIGN_OR_RETURN(const Json document, ParseStrictly(text));
  if (!document.is_object()) return BadJson("the reply is not a JSON object");
  const auto edits = document.find("edits");
  const auto diff = document.find("patch");
  const auto encoded = document.find("patch_base64");
  if ((edits != document.end()) + (diff != document.end()) + (encoded != document.end()) != 1) {
    return BadJson("the reply needs exactly one of \"edits\", \"patch\" and \"patch_base64\"");
  }
  JsonReply reply;
  if (diff != document.end()) {
    if (!diff->is_string()) return BadJson("\"patch\" must be a string");
    reply.diff = diff->get<std::string>();
    return reply;
  }
  if (encoded != document.end()) {
    std::string bytes;
    if (!encoded->is_string() ||
        !absl::Base64Unescape(encoded->get_ref<const std::string&>(), &bytes)) {
      return BadJson("\"patch_base64\" must be a string of base64");
    }
    reply.diff = std::move(bytes);
    return reply;
  }
  if (!edits->is_array() || edits->empty())
    return BadJson("\"edits\" must be a list with elements");
  if (edits->size() > edits_max) {
    return Refused("LIMITS", absl::StrCat("more than ", edits_max, " edits"));
  }
  for (size_t i = 0; i < edits->size(); ++i) {
    ASSIGN_OR_RETURN(JsonEdit edit, EditFrom((*edits)[i], i));
    reply.edits.push_back(std::move(edit));
  }
  return reply;
}

}  // namespace slipway::patch
