#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "services/models/providers/endpoint_provider.h"

namespace slipway::models {
namespace {

std::string HostOf(absl::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme != absl::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  const size_t at = url.rfind('@');
  if (at != absl::string_view::npos) url.remove_prefix(at + 1);
  if (absl::StartsWith(url, "[")) return std::string(url.substr(1, url.find(']') - 1));
  return absl::AsciiStrToLower(url.substr(0, url.find(':')));
}

}  // namespace

bool IsPrivateHost(absl::string_view url) {
  const std::string host = HostOf(url);
  if (host == "::1" || absl::StartsWith(host, "fd")) {
    if (absl::StrContains(host, ":")) return true;
  }
  const std::vector<std::string> parts = absl::StrSplit(host, '.');
  int numbers[4] = {};
  bool address = parts.size() == 4;
  for (size_t i = 0; address && i < 4; ++i) {
    address = absl::SimpleAtoi(parts[i], &numbers[i]) && numbers[i] >= 0 && numbers[i] <= 255;
  }
  if (address) {
    return numbers[0] == 127 || numbers[0] == 10 || (numbers[0] == 192 && numbers[1] == 168) ||
           (numbers[0] == 172 && numbers[1] >= 16 && numbers[1] <= 31) ||
           (numbers[0] == 100 && numbers[1] >= 64 && numbers[1] <= 127);
  }
  if (parts.size() == 1) return !host.empty() && !absl::StrContains(host, ":");
  for (const char* suffix : {".localhost", ".local", ".internal", ".lan", ".svc"}) {
    if (absl::EndsWith(host, suffix)) return true;
  }
  return false;
}

}  // namespace slipway::models
