#include "services/gateway/domain/token_files.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/log/log.h"

namespace slipway::gateway {
namespace {

constexpr size_t kFileBytesMax = 4'096;
constexpr char kActor[] = "gateway";

// The file's text without white space around it; empty when it is missing.
absl::StatusOr<std::string> ReadSecret(const std::string& path) {
  absl::StatusOr<std::string> text = base::ReadFile(path, kFileBytesMax);
  if (absl::IsNotFound(text.status())) return "";
  if (!text.ok()) return text.status();
  return std::string(absl::StripAsciiWhitespace(*text));
}

}  // namespace

absl::Status ImportOneTimeToken(Tokens& tokens, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string secret, ReadSecret(path));
  if (secret.empty()) {
    log::Info("there is no one-time token to import", {{"path", path}});
    return absl::OkStatus();
  }
  return tokens.OfferOneTime(secret);
}

absl::Status EnsureLocalToken(Tokens& tokens, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string secret, ReadSecret(path));
  if (!secret.empty() && tokens.Authenticate(secret).ok()) return absl::OkStatus();
  ASSIGN_OR_RETURN(Tokens::Issued issued, tokens.CreateLocal(kActor));
  log::Info("a token for programs on this machine was written",
            {{"path", path}, {"token", issued.token.name}});
  return base::WriteFileAtomic(path, absl::StrCat(issued.secret, "\n"), 0600);
}

}  // namespace slipway::gateway
