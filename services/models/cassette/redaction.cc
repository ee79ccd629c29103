#include "services/models/cassette/redaction.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/digest.h"
#include "lib/policy/secret_scanner.h"
#include "nlohmann/json.hpp"
#include "services/models/domain/attempt_key.h"
#include "services/models/wire/reply_meter.h"

namespace slipway::models {
namespace {

using Json = nlohmann::ordered_json;

// Shorter ones would be found in places where they are none.
constexpr size_t kKnownSecretBytesMin = 8;

// Deeper than any request that was read; texts below stay out of the cassette.
constexpr int kTextDepthMax = 128;

void ForEachText(Json& value, int depth, const std::function<void(std::string&)>& visit) {
  if (value.is_string()) return visit(*value.get_ptr<std::string*>());
  if (!value.is_structured()) return;
  if (depth == 0) {
    value = nullptr;
    return;
  }
  for (Json& item : value) ForEachText(item, depth - 1, visit);
}

// What the frames of a stream say together, by the member that says it: a credential may be
// scattered over many.
std::map<std::string, std::string> JoinedTexts(absl::string_view stream) {
  std::map<std::string, std::string> texts;
  const std::function<void(const Json&, const std::string&, int)> collect =
      [&](const Json& value, const std::string& name, int depth) {
        if (value.is_string()) texts[name] += value.get_ref<const std::string&>();
        if (depth == 0 || !value.is_structured()) return;
        for (auto item = value.begin(); item != value.end(); ++item) {
          collect(*item, value.is_object() ? item.key() : name, depth - 1);
        }
      };
  for (absl::string_view line : absl::StrSplit(stream, '\n')) {
    if (!absl::ConsumePrefix(&line, "data:")) continue;
    const Json frame = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    if (!frame.is_discarded()) collect(frame, "", kTextDepthMax);
  }
  return texts;
}

std::string TextOfStream(Dialect dialect, absl::string_view stream) {
  ReplyMeter meter(dialect);
  std::string text;
  for (absl::string_view line : absl::StrSplit(stream, '\n')) {
    absl::ConsumePrefix(&line, "data:");
    if (absl::ConsumePrefix(&line, " ")) text += meter.TakeEvent(line);
  }
  return text;
}

}  // namespace

Redactor::Redactor(std::vector<std::string> known) {
  for (std::string& secret : known) {
    if (secret.size() >= kKnownSecretBytesMin) known_.push_back(std::move(secret));
  }
}

std::string Redactor::Clean(absl::string_view text, int& replaced) const {
  std::string clean(text);
  for (const std::string& secret : known_) {
    replaced += absl::StrReplaceAll({{secret, "[redacted: key]"}}, &clean);
  }
  // Keys of attempts are drawn by this service: whatever follows their prefix is one.
  for (size_t at = clean.find(kAttemptKeyPrefix); at != std::string::npos;
       at = clean.find(kAttemptKeyPrefix, at + 1)) {
    size_t end = at + sizeof(kAttemptKeyPrefix) - 1;
    while (end < clean.size() &&
           (absl::ascii_isalnum(clean[end]) || clean[end] == '_' || clean[end] == '-')) {
      ++end;
    }
    clean.replace(at, end - at, "[redacted: attempt key]");
    ++replaced;
  }
  policy::Redaction redaction = policy::RedactSecrets(clean);
  replaced += redaction.replaced;
  return std::move(redaction.text);
}

std::string Redactor::CleanJson(const std::string& text, int& replaced) const {
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return Clean(text, replaced);
  int inside = 0;
  ForEachText(value, kTextDepthMax, [&](std::string& leaf) { leaf = Clean(leaf, inside); });
  // Names of members, and what spans several texts.
  std::string whole =
      inside == 0 ? text : value.dump(-1, ' ', false, Json::error_handler_t::replace);
  replaced += inside;
  return Clean(whole, replaced);
}

void Redactor::Redact(CassetteEntry& entry) const {
  int& replaced = entry.redactions;
  for (Message& message : entry.messages) message.text = Clean(message.text, replaced);
  entry.response_schema = CleanJson(entry.response_schema, replaced);
  entry.body = CleanJson(entry.body, replaced);
  entry.result.detail = Clean(entry.result.detail, replaced);
  if (!entry.dialect.has_value()) {
    entry.reply = Clean(entry.reply, replaced);
  } else if (!entry.stream) {
    entry.reply = CleanJson(entry.reply, replaced);
  } else {
    int scattered = 0;
    for (const auto& [name, text] : JoinedTexts(entry.reply)) Clean(text, scattered);
    if (scattered > 0) {
      entry.reply = TextOfStream(*entry.dialect, entry.reply);
      entry.text_only = true;
    }
    entry.reply = Clean(entry.reply, replaced);
  }
  entry.prompt_digest = DigestOf(entry);
}

std::string Redactor::DigestOf(const CassetteEntry& entry) const {
  int replaced = 0;
  std::string prompt = entry.dialect.has_value() ? CleanJson(entry.body, replaced)
                                                 : CleanJson(entry.response_schema, replaced);
  for (const Message& message : entry.messages) {
    absl::StrAppend(&prompt, static_cast<int>(message.speaker), Clean(message.text, replaced),
                    "\n");
  }
  // A plan that is replayed has another id.
  const std::string plan = entry.scopes.plan.substr(entry.scopes.plan.rfind('/') + 1);
  if (!plan.empty()) absl::StrReplaceAll({{plan, "{plan}"}}, &prompt);
  return base::Sha256Hex(prompt);
}

}  // namespace slipway::models
