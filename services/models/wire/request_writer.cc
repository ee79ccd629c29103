#include "services/models/wire/request_writer.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "services/models/wire/body_edit.h"

namespace slipway::models {
namespace {

std::string Quoted(absl::string_view text) {
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

class Writer final {
 public:
  Writer(const WireRequest& request, const WireDecision& decision)
      : request_(request), decision_(decision), edit_(request.body) {}

  std::string Run() {
    Set("model", Quoted(decision_.model));
    WriteOutputLimit();
    if (!decision_.service_tier.empty()) {
      Set("service_tier", Quoted(decision_.service_tier));
    } else {
      Drop("service_tier");
    }
    for (const char* name : {"speed", "fallbacks", "inference_geo"}) Drop(name);
    WriteEffort();
    WriteUsageFlag();
    WriteTools();
    RemoveDropped();
    // The model is always kept, so that a comma is always right.
    if (!added_.empty()) edit_.Insert(request_.body.rfind('}'), added_);
    return edit_.Apply();
  }

 private:
  const WireMember* Find(absl::string_view name) const {
    for (const WireMember& member : request_.members) {
      if (member.name == name) return &member;
    }
    return nullptr;
  }

  void Add(absl::string_view name, absl::string_view json) {
    absl::StrAppend(&added_, ",\"", name, "\":", json);
  }
  void Set(absl::string_view name, std::string json) {
    if (const WireMember* member = Find(name)) return edit_.Replace(member->value, std::move(json));
    Add(name, json);
  }
  void Drop(absl::string_view name) {
    if (Find(name) != nullptr) dropped_.push_back(std::string(name));
  }

  void WriteOutputLimit() {
    const std::string limit = absl::StrCat(decision_.output_tokens_max);
    bool named = false;
    for (const char* name : {"max_tokens", "max_completion_tokens", "max_output_tokens"}) {
      const WireMember* member = Find(name);
      if (member == nullptr) continue;
      edit_.Replace(member->value, limit);
      named = true;
    }
    if (!named) Add(OutputLimitName(), limit);
    if (!request_.thinking_budget.has_value()) return;
    // A budget for thinking must stay below the whole.
    if (request_.thinking_budget_tokens < decision_.output_tokens_max) return;
    constexpr int64_t kThinkingMin = 1'024;
    if (decision_.output_tokens_max > kThinkingMin) {
      edit_.Replace(*request_.thinking_budget, absl::StrCat(decision_.output_tokens_max - 1));
    } else {
      edit_.Replace(Find("thinking")->value, R"({"type":"disabled"})");
    }
  }

  const char* OutputLimitName() const {
    if (request_.dialect == Dialect::kResponses) return "max_output_tokens";
    if (request_.dialect == Dialect::kMessages || decision_.old_output_limit) return "max_tokens";
    return "max_completion_tokens";
  }

  void WriteEffort() {
    if (decision_.reasoning_effort.empty()) return;
    const std::string effort = Quoted(decision_.reasoning_effort);
    if (request_.dialect == Dialect::kChat) return Set("reasoning_effort", effort);
    if (request_.effort.has_value()) return edit_.Replace(*request_.effort, effort);
    SetInside(request_.dialect == Dialect::kResponses ? "reasoning" : "output_config", "effort",
              effort);
  }

  void WriteUsageFlag() {
    if (request_.dialect != Dialect::kChat || !request_.stream || request_.usage_asked) return;
    if (request_.include_usage.has_value()) return edit_.Replace(*request_.include_usage, "true");
    SetInside("stream_options", "include_usage", "true");
  }

  // Sets a member, which is not there, of an object that may not be there.
  void SetInside(absl::string_view object, absl::string_view name, absl::string_view json) {
    const WireMember* member = Find(object);
    if (member == nullptr || !member->is_object) {
      return Set(object, absl::StrCat("{\"", name, "\":", json, "}"));
    }
    const size_t inside = member->value.begin + 1;
    const absl::string_view rest =
        absl::string_view(request_.body).substr(inside, member->value.end - inside);
    const bool empty = rest.find_first_not_of(" \t\r\n") == rest.size() - 1;
    edit_.Insert(inside, absl::StrCat("\"", name, "\":", json, empty ? "" : ","));
  }

  void WriteTools() {
    std::vector<WireSpan> spans;
    std::vector<bool> removed;
    for (const WireTool& tool : request_.tools) {
      spans.push_back(tool.span);
      removed.push_back(tool.at_provider);
    }
    const auto gone = std::count(removed.begin(), removed.end(), true);
    if (gone == 0) return;
    if (static_cast<size_t>(gone) < spans.size()) return edit_.Remove(spans, removed);
    Drop("tools");  // An empty list is refused by some.
    Drop("tool_choice");
  }

  void RemoveDropped() {
    if (dropped_.empty()) return;
    std::vector<WireSpan> spans;
    std::vector<bool> removed;
    for (const WireMember& member : request_.members) {
      spans.push_back({member.key_begin, member.value.end});
      removed.push_back(std::count(dropped_.begin(), dropped_.end(), member.name) > 0);
    }
    edit_.Remove(spans, removed);
  }

  const WireRequest& request_;
  const WireDecision& decision_;
  BodyEdit edit_;
  std::vector<std::string> dropped_;
  std::string added_;
};

}  // namespace

std::string WriteWireRequest(const WireRequest& request, const WireDecision& decision) {
  return Writer(request, decision).Run();
}

}  // namespace slipway::models
