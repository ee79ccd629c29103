#include "lib/git/ref_name.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "lib/git/errors.h"

namespace slipway::git {
namespace {

constexpr size_t kRefNameSizeMax = 255;
constexpr absl::string_view kForbidden = " ~^:?*[\\";

const char* ComponentProblem(absl::string_view component) {
  if (component.empty()) return "a part between slashes is empty";
  if (component.front() == '.') return "a part begins with '.'";
  if (component.front() == '-') return "a part begins with '-'";
  if (component.back() == '.') return "a part ends with '.'";
  if (absl::EndsWithIgnoreCase(component, ".lock")) return "a part ends with '.lock'";
  if (absl::StrContains(component, "..")) return "it contains '..'";
  if (absl::StrContains(component, "@{")) return "it contains '@{'";
  if (component == "@") return "a part is '@'";
  for (const char c : component) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "it has a control character";
    if (absl::StrContains(kForbidden, c)) return "it has a space or one of ~^:?*[\\";
  }
  return nullptr;
}

}  // namespace

absl::Status CheckRefName(absl::string_view ref) {
  if (ref.size() > kRefNameSizeMax) return RefNameInvalid(ref, "longer than 255 bytes");
  if (!absl::StartsWith(ref, "refs/")) return RefNameInvalid(ref, "it must begin with 'refs/'");
  int components = 0;
  for (const absl::string_view component : absl::StrSplit(ref, '/')) {
    ++components;
    const char* const problem = ComponentProblem(component);
    if (problem != nullptr) return RefNameInvalid(ref, problem);
  }
  if (components < 3) return RefNameInvalid(ref, "it needs a kind and a name: refs/heads/x");
  return absl::OkStatus();
}

}  // namespace slipway::git
