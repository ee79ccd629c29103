#include "lib/http/headers.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace slipway::http {
namespace {

bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(c) || absl::StrContains("!#$%&'*+-.^_`|~", c);
}

bool IsValueCharacter(char c) { return c == '\t' || !absl::ascii_iscntrl(c); }

}  // namespace

absl::string_view Headers::Get(absl::string_view name) const {
  for (const Field& field : fields_) {
    if (absl::EqualsIgnoreCase(field.first, name)) return field.second;
  }
  return "";
}

bool Headers::Has(absl::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(), [name](const Field& field) {
    return absl::EqualsIgnoreCase(field.first, name);
  });
}

void Headers::Add(absl::string_view name, absl::string_view value) {
  fields_.emplace_back(std::string(name), std::string(value));
}

void Headers::Set(absl::string_view name, absl::string_view value) {
  Remove(name);
  Add(name, value);
}

void Headers::Remove(absl::string_view name) {
  std::erase_if(fields_,
                [name](const Field& field) { return absl::EqualsIgnoreCase(field.first, name); });
}

bool Headers::Valid() const {
  return std::all_of(fields_.begin(), fields_.end(), [](const Field& field) {
    const auto& [name, value] = field;
    return !name.empty() && std::all_of(name.begin(), name.end(), IsTokenCharacter) &&
           std::all_of(value.begin(), value.end(), IsValueCharacter);
  });
}

}  // namespace slipway::http
