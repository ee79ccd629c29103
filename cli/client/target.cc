#include "cli/client/target.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/client/up_record.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

namespace slipway::cli {
namespace {

constexpr size_t kTokenBytesMax = 4 << 10;

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  const absl::StatusOr<std::string> text = base::ReadFile(path, kTokenBytesMax);
  if (!text.ok()) {
    return base::Error(absl::StatusCode::kUnauthenticated, "TOKEN_MISSING",
                       absl::StrCat("cannot read the token in ", path), {{"file", path}});
  }
  const std::string token(absl::StripAsciiWhitespace(*text));
  for (const char c : token) {
    if (!absl::ascii_isgraph(c)) {
      return base::Error(absl::StatusCode::kUnauthenticated, "TOKEN_MISSING",
                         absl::StrCat(path, " does not hold a token"), {{"file", path}});
    }
  }
  return token;
}

}  // namespace

DataDirectory DataOf(const TargetOptions& options) {
  const std::string path = options.data.empty() ? DataDirectory::DefaultPath() : options.data;
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  std::string clean = error ? path : absolute.lexically_normal().string();
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  return DataDirectory(clean);
}

absl::StatusOr<Target> FindTarget(const TargetOptions& options) {
  const DataDirectory data = DataOf(options);
  Target target{.address = options.address};
  if (target.address.empty()) {
    ASSIGN_OR_RETURN(UpRecord record, ReadUpRecord(data));
    target.address = std::move(record.gateway_address);
  }
  ASSIGN_OR_RETURN(target.token,
                   ReadToken(options.token_file.empty() ? data.LocalToken() : options.token_file));
  return target;
}

}  // namespace slipway::cli
