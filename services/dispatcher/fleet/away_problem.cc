#include "services/dispatcher/fleet/away_problem.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"

namespace slipway::dispatcher {
namespace {

// The TLS library tells its findings in words alone.
const char* TlsReason(absl::string_view text) {
  // Alerts are what the other side thinks of our certificate; it may come with the first answer.
  if (absl::StrContains(text, "alert")) {
    if (absl::StrContains(text, "certificate") || absl::StrContains(text, "unknown ca")) {
      return "CLIENT_CERTIFICATE_REFUSED";
    }
    return nullptr;
  }
  if (absl::StrContains(text, "certificate has expired") ||
      absl::StrContains(text, "certificate is not yet valid")) {
    return "CERTIFICATE_EXPIRED";
  }
  if (absl::StrContains(text, "subject name") ||
      absl::StrContains(text, "does not match target host")) {
    return "CERTIFICATE_NAME_WRONG";
  }
  if (absl::StrContains(text, "issuer certificate") || absl::StrContains(text, "self signed") ||
      absl::StrContains(text, "self-signed") ||
      absl::StrContains(text, "certificate signature failure")) {
    return "CERTIFICATE_UNTRUSTED";
  }
  return nullptr;
}

}  // namespace

std::string AwayProblem(const http::ClientResult& result) {
  const absl::string_view text = result.status.message();
  const char* const reason = TlsReason(text);
  return absl::StrCat(reason != nullptr ? reason : base::ReasonOf(result.status), ": ", text);
}

}  // namespace slipway::dispatcher
