#include "services/models/wire/request_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "services/models/domain/errors.h"
#include "services/models/domain/limits.h"
#include "services/models/wire/json_scan.h"

namespace slipway::models {
namespace {

template <size_t N>
bool IsOneOf(absl::string_view name, const absl::string_view (&names)[N]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Members that are refused unless null or false, with why.
struct Refused {
  absl::string_view name;
  absl::string_view why;
};
constexpr Refused kRefused[] = {
    {"previous_response_id",
     "context kept at the provider has no bound here: send the whole input"},
    {"conversation", "context kept at the provider has no bound here: send the whole input"},
    {"prompt", "a prompt kept at the provider has no bound here: send its text"},
    {"background", "a reply in the background cannot be metered: leave it out"},
    {"audio", "audio has a price of its own that no hold covers: leave it out"},
    {"prediction", "rejected predictions are billed beyond the output limit: leave it out"},
    {"web_search_options", "searches are billed beyond the hold: leave it out"},
    {"mcp_servers", "tools at the provider are billed beyond the hold: leave it out"},
    {"container", "a container at the provider is billed beyond the hold: leave it out"},
    {"best_of", "one call makes one reply: leave it out"},
};

// Parts of a message whose tokens have no bound in the body's bytes.
constexpr absl::string_view kUnboundedParts[] = {"file",        "input_file", "document",
                                                 "input_audio", "audio",      "container_upload",
                                                 "input_video", "video_url"};
constexpr absl::string_view kImageParts[] = {"image", "image_url", "input_image"};

// Tools that the client runs itself, by type; of messages also by prefix, with a date.
constexpr absl::string_view kClientTools[] = {
    "function",    "custom",   "local_shell",          "shell",
    "apply_patch", "computer", "computer_use_preview", "namespace",
    "tool_search"};
constexpr absl::string_view kClientToolPrefixes[] = {"bash_", "text_editor_", "computer_",
                                                     "memory_", "tool_search_"};

bool RunsAtProvider(absl::string_view type) {
  if (type.empty() || IsOneOf(type, kClientTools)) return false;
  return std::none_of(std::begin(kClientToolPrefixes), std::end(kClientToolPrefixes),
                      [type](absl::string_view prefix) { return absl::StartsWith(type, prefix); });
}

class RequestVisitor final : public JsonVisitor {
 public:
  explicit RequestVisitor(WireRequest& request) : request_(request), body_(request.body) {}

  void OnValue(const JsonValue& value) override {
    const std::vector<JsonStep>& path = value.path;
    if (path.empty()) return TakeRoot(value);
    const std::string& root = path[0].key;
    if (path.size() == 1) return TakeMember(value);
    if (path.size() == 2) TakeNested(root, path[1], value);
    if (root == "tools") return TakeTool(value);
    if (root == "messages" || root == "input" || root == "system") TakeContent(value);
  }

  // Why the request is not served; OK when it is.
  absl::Status Finish() {
    RETURN_IF_ERROR(status_);
    if (!is_object_) return PromptInvalid("the body is not a JSON object");
    if (request_.model.empty()) {
      return PromptInvalid("model must be the name of a role; GET /v1/models lists them");
    }
    if (!has_input_) {
      return PromptInvalid(absl::StrCat(
          request_.dialect == Dialect::kResponses ? "input" : "messages", " is missing or empty"));
    }
    request_.images = images_;
    request_.image_bytes = image_bytes_;
    const int64_t text_bytes = static_cast<int64_t>(body_.size() - image_bytes_);
    request_.input_tokens_bound = text_bytes + (turns_ + 1) * kTokensPerMessage +
                                  (request_.tools.empty() ? 0 : kTokensForTools) +
                                  images_ * kTokensPerImage;
    return absl::OkStatus();
  }

 private:
  void Fail(absl::string_view problem) {
    if (status_.ok()) status_ = PromptInvalid(problem);
  }
  absl::string_view Raw(const JsonValue& value) const {
    return body_.substr(value.begin, value.end - value.begin);
  }
  static WireSpan SpanOf(const JsonValue& value) { return {value.begin, value.end}; }

  void TakeRoot(const JsonValue& value) { is_object_ = value.kind == JsonKind::kObject; }

  void TakeMember(const JsonValue& value) {
    const JsonStep& step = value.path[0];
    request_.members.push_back({.name = step.key,
                                .key_begin = step.key_begin,
                                .value = SpanOf(value),
                                .is_object = value.kind == JsonKind::kObject});
    if (value.kind == JsonKind::kNull) return;
    const std::string& name = step.key;
    for (const Refused& refused : kRefused) {
      if (name == refused.name && value.kind != JsonKind::kFalse) {
        Fail(absl::StrCat("parameter \"", name, "\" is not served: ", refused.why));
      }
    }
    if (name == "model") {
      if (value.kind == JsonKind::kString) request_.model = JsonText(Raw(value));
    } else if (name == "stream") {
      TakeFlag(value, request_.stream);
    } else if (name == "n") {
      if (Raw(value) != "1") Fail("n must be 1: one call makes one reply");
    } else if (name == "max_tokens" || name == "max_completion_tokens" ||
               name == "max_output_tokens") {
      TakeOutputLimit(name, value);
    } else if (name == "modalities") {
      if (Raw(value).find("audio") != absl::string_view::npos) {
        Fail("parameter \"modalities\" is not served with audio: leave it out");
      }
    } else if (name == "messages" || name == "input") {
      has_input_ = (value.kind == JsonKind::kArray || value.kind == JsonKind::kString) &&
                   value.end - value.begin > 2;
    }
  }

  void TakeFlag(const JsonValue& value, bool& flag) {
    if (value.kind != JsonKind::kTrue && value.kind != JsonKind::kFalse) {
      return Fail(absl::StrCat(value.path.back().key, " must be true or false"));
    }
    flag = value.kind == JsonKind::kTrue;
  }

  void TakeOutputLimit(const std::string& name, const JsonValue& value) {
    int64_t limit = 0;
    if (!absl::SimpleAtoi(Raw(value), &limit) || limit <= 0) {
      return Fail(absl::StrCat(name, " must be a whole number above 0"));
    }
    const int64_t known = request_.output_tokens_max;
    request_.output_tokens_max = known == 0 ? limit : std::min(known, limit);
  }

  void TakeNested(const std::string& root, const JsonStep& step, const JsonValue& value) {
    if (root == "messages" || root == "input") {
      if (step.key.empty() && ++turns_ > static_cast<int64_t>(kMessagesMax)) {
        Fail(absl::StrCat("more than ", kMessagesMax, " messages"));
      }
    } else if (root == "stream_options" && step.key == "include_usage") {
      TakeFlag(value, request_.usage_asked);
      request_.include_usage = SpanOf(value);
    } else if ((root == "reasoning" || root == "output_config") && step.key == "effort") {
      request_.effort = SpanOf(value);
    } else if (root == "thinking" && step.key == "budget_tokens") {
      if (!absl::SimpleAtoi(Raw(value), &request_.thinking_budget_tokens)) return;
      request_.thinking_budget = SpanOf(value);
    } else if (root == "tools") {
      const bool at_provider = RunsAtProvider(tool_type_);
      request_.tools.push_back({SpanOf(value), at_provider, std::exchange(tool_type_, "")});
    }
  }

  void TakeTool(const JsonValue& value) {
    if (value.path.size() == 3 && value.path[2].key == "type" && value.kind == JsonKind::kString) {
      tool_type_ = JsonText(Raw(value));
    }
  }

  // Parts of messages and of what tools returned; arguments of tools are the model's own text.
  void TakeContent(const JsonValue& value) {
    if (value.kind != JsonKind::kString) return;
    const std::vector<JsonStep>& path = value.path;
    for (size_t i = 2; i < path.size(); ++i) {
      if (path[i].key == "input" || path[i].key == "arguments") return;
    }
    const std::string& key = path.back().key;
    if (key == "type" && value.end - value.begin < 40) {
      const std::string type = JsonText(Raw(value));
      if (IsOneOf(type, kImageParts)) ++images_;
      if (IsOneOf(type, kUnboundedParts)) {
        Fail(absl::StrCat("parts of type \"", type, "\" are not served: send text or images"));
      }
      return;
    }
    const bool image_text = absl::StartsWith(Raw(value), "\"data:image/");
    const bool image_source =
        key == "data" && path.size() > 2 && path[path.size() - 2].key == "source";
    const bool image_url = image_text && (key == "url" || key == "image_url");
    if (image_source || image_url) image_bytes_ += value.end - value.begin;
  }

  WireRequest& request_;
  const absl::string_view body_;
  absl::Status status_;
  bool is_object_ = false;
  bool has_input_ = false;
  int64_t turns_ = 0;
  int64_t images_ = 0;
  size_t image_bytes_ = 0;
  std::string tool_type_;
};

}  // namespace

absl::StatusOr<WireRequest> ReadWireRequest(Dialect dialect, std::string body) {
  WireRequest request = {.dialect = dialect, .body = std::move(body)};
  RequestVisitor visitor(request);
  RETURN_IF_ERROR(ScanJson(request.body, {}, visitor));
  RETURN_IF_ERROR(visitor.Finish());
  return request;
}

}  // namespace slipway::models
