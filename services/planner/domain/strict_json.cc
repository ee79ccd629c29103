#include "services/planner/domain/strict_json.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/utf8.h"
#include "services/planner/domain/errors.h"
#include "services/planner/domain/limits.h"

namespace slipway::planner {
namespace {

using Json = nlohmann::json;

// Builds the value and stops at the first thing that is not allowed. The parser that calls it does
// not recurse, so depth costs no stack.
class StrictBuilder final : public nlohmann::json_sax<Json> {
 public:
  explicit StrictBuilder(size_t text_size) : text_size_(text_size) {}

  bool null() override { return Place(nullptr) != nullptr; }
  bool boolean(bool value) override { return Place(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return Place(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return Place(value) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override {
    return Place(value) != nullptr;
  }
  bool string(string_t& value) override { return Place(std::move(value)) != nullptr; }
  bool binary(binary_t&) override { return false; }

  bool start_object(size_t) override { return Enter(Json::object()); }
  bool start_array(size_t) override { return Enter(Json::array()); }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }

  bool key(string_t& value) override {
    Level& object = levels_.back();
    object.key = std::move(value);
    if (!object.value->contains(object.key)) return true;
    error_ = ReplyDuplicateKey(Path());
    return false;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& problem) override {
    // The parser's own text repeats the reply; what it was doing is enough.
    const std::string what = problem.what();
    const std::string place = levels_.empty() ? "$" : Path();
    if (position > text_size_ || absl::StrContains(what, "unexpected end of input") ||
        absl::StrContains(what, "missing closing quote")) {
      error_ = ReplyTruncated(absl::StrCat("it stops inside ", place));
    } else {
      error_ = ReplyNotJson(position, absl::StrCat("unexpected text at ", place));
    }
    return false;
  }

  const absl::Status& error() const { return error_; }
  Json Take() { return std::move(root_); }

 private:
  struct Level {
    Json* value;
    std::string key;  // The last key of an object.
  };

  // Names of fields are the model's own text.
  static std::string Shown(absl::string_view key) { return base::ToUtf8(key, 80); }

  // Where the reading is. An element that is open is in its array already.
  std::string Path() const {
    std::string path = "$";
    for (size_t i = 0; i < levels_.size(); ++i) {
      const Level& level = levels_[i];
      if (level.value->is_array()) {
        const bool inside = i + 1 < levels_.size();
        absl::StrAppend(&path, "[", level.value->size() - (inside ? 1 : 0), "]");
      } else if (!level.key.empty()) {
        absl::StrAppend(&path, ".", Shown(level.key));
      }
    }
    return path;
  }

  template <typename T>
  Json* Place(T&& value) {
    if (++values_ > kReplyValuesMax) {
      error_ = ReplyTooLarge(absl::StrCat("more than ", kReplyValuesMax, " values"));
      return nullptr;
    }
    if (levels_.empty()) {
      root_ = std::forward<T>(value);
      return &root_;
    }
    Json& parent = *levels_.back().value;
    if (parent.is_array()) {
      parent.emplace_back(std::forward<T>(value));
      return &parent.back();
    }
    return &(parent[levels_.back().key] = std::forward<T>(value));
  }

  bool Enter(Json empty) {
    if (levels_.size() >= static_cast<size_t>(kReplyDepthMax)) {
      error_ = ReplyTooDeep(Path());
      return false;
    }
    Json* const placed = Place(std::move(empty));
    if (placed == nullptr) return false;
    levels_.push_back({placed, ""});
    return true;
  }

  bool Leave() {
    levels_.pop_back();
    return true;
  }

  const size_t text_size_;
  Json root_;
  // Pointers stay good: only the innermost container grows while it is open.
  std::vector<Level> levels_;
  int values_ = 0;
  absl::Status error_;
};

}  // namespace

absl::StatusOr<nlohmann::json> ParseStrictJson(absl::string_view text) {
  if (absl::StripAsciiWhitespace(text).empty()) return ReplyEmpty();
  if (text.size() > kReplyBytesMax) {
    return ReplyTooLarge(absl::StrCat(text.size(), " bytes, at most ", kReplyBytesMax));
  }
  StrictBuilder builder(text.size());
  const bool parsed = Json::sax_parse(text.begin(), text.end(), &builder);
  if (!builder.error().ok()) return builder.error();
  if (!parsed) return ReplyNotJson(0, "it cannot be parsed");
  return builder.Take();
}

}  // namespace slipway::planner
