#include "cli/output/output.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "cli/output/display_width.h"
#include "cli/output/hint.h"
#include "lib/base/error.h"

namespace slipway::cli {
namespace {

std::string ErrorJson(const absl::Status& status) {
  nlohmann::ordered_json error;
  error["code"] = absl::StatusCodeToString(status.code());
  error["reason"] = base::ReasonOf(status);
  error["message"] = OneLine(status.message());
  error["metadata"] = nlohmann::json::object();
  if (const std::optional<base::ErrorDetail> detail = base::DetailOf(status)) {
    for (const auto& [key, value] : detail->metadata) error["metadata"][key] = PlainText(value);
  }
  return nlohmann::ordered_json{{"error", std::move(error)}}.dump();
}

}  // namespace

std::string JsonText(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  return status.ok() ? text : "{}";
}

void Output::Print(absl::string_view text) { results_ << text << std::flush; }

void Output::Line(absl::string_view text) { results_ << text << "\n" << std::flush; }

void Output::Table(const TextTable& table) { Print(table.Render(colour(), width())); }

void Output::Json(const google::protobuf::Message& message) { Line(JsonText(message)); }

void Output::Progress(absl::string_view text) { progress_ << text << "\n" << std::flush; }

void Output::Hint(absl::string_view text) {
  if (!text.empty()) Progress(absl::StrCat(Painted(Tone::kActive, "hint:"), " ", text));
}

std::string Output::Painted(Tone tone, absl::string_view text) const {
  return Paint(tone, text, colour());
}

ExitCode Output::Fail(const absl::Status& status) {
  if (json()) {
    Line(ErrorJson(status));
    return ExitCodeOf(status);
  }
  const std::string reason = base::ReasonOf(status);
  Progress(absl::StrCat(Painted(Tone::kBad, "error:"), " ", OneLine(status.message()),
                        reason.empty() ? "" : absl::StrCat(" [", reason, "]")));
  Hint(HintFor(status));
  return ExitCodeOf(status);
}

}  // namespace slipway::cli
