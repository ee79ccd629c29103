#include "lib/git/remote_transport.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"
#include "lib/git/errors.h"
#include "lib/git/fetch_flaws.h"
#include "lib/git/git_command.h"
#include "lib/git/ref_name.h"

namespace slipway::git {
namespace {

constexpr size_t kUrlBytesMax = 2'048;
constexpr size_t kTokenBytesMax = 4'096;
// A connection that moves fewer bytes than 1000 a second for this long is dead.
constexpr int kSilenceSecondsMax = 60;
constexpr int kConnectSeconds = 20;

// What neither a shell nor git nor ssh reads a meaning into.
bool IsPlain(absl::string_view text, absl::string_view allowed) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || allowed.find(c) != allowed.npos;
  });
}

absl::Status CheckHost(const std::string& text, const std::string& host) {
  const std::vector<std::string> parts = absl::StrSplit(host, absl::MaxSplits(':', 1));
  if (!IsPlain(parts[0], ".-_") || absl::StartsWith(parts[0], "-")) {
    return RemoteUrlInvalid(text, "its host is not a name");
  }
  int port = 0;
  if (parts.size() > 1 &&
      (!absl::SimpleAtoi(parts[1], &port) || port < 1 || port > 65'535 || !IsPlain(parts[1], ""))) {
    return RemoteUrlInvalid(text, "its port is not in 1 to 65535");
  }
  return absl::OkStatus();
}

absl::Status CheckFilePath(const std::string& field, const std::string& path) {
  if (path.empty() || (path.front() == '/' && IsPlain(path, "/._-+@"))) return absl::OkStatus();
  return RemoteUrlInvalid(path, absl::StrCat(field,
                                             " must be an absolute path of letters, digits and "
                                             "the characters ._-+@"));
}

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  const absl::StatusOr<std::string> text = base::ReadFile(path, kTokenBytesMax);
  if (!text.ok()) return RemoteAuthRefused(path, "the file of the token cannot be read");
  std::string token(absl::StripAsciiWhitespace(*text));
  if (token.empty() || !std::all_of(token.begin(), token.end(),
                                    [](unsigned char c) { return absl::ascii_isgraph(c); })) {
    return RemoteAuthRefused(path, "the file of the token does not hold one word");
  }
  return token;
}

// The header goes to this host alone and not where it redirects to: redirects are not followed. In
// the environment nobody but the same user sees it.
absl::Status AddHttps(const RemoteUrl& url, const RemoteAccess& access,
                      std::vector<std::pair<std::string, std::string>>& config) {
  config.emplace_back("http.followRedirects", "false");
  config.emplace_back("http.sslVerify", "true");
  config.emplace_back("http.lowSpeedLimit", "1000");
  config.emplace_back("http.lowSpeedTime", absl::StrCat(kSilenceSecondsMax));
  if (!access.ca_file.empty()) config.emplace_back("http.sslCAInfo", access.ca_file);
  if (access.token_file.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string token, ReadToken(access.token_file));
  const std::string user = access.username.empty() ? "git" : access.username;
  config.emplace_back(
      absl::StrCat("http.https://", url.host, "/.extraHeader"),
      absl::StrCat("Authorization: Basic ", absl::Base64Escape(absl::StrCat(user, ":", token))));
  return absl::OkStatus();
}

absl::StatusOr<std::string> SshCommand(const RemoteAccess& access) {
  if (access.known_hosts_file.empty()) {
    return RemoteHostUnknown("", "no file with the keys of hosts is configured");
  }
  // A configuration of somebody else, an agent, a proxy, forwardings and prompts are shut out.
  std::string command = absl::StrCat(
      "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes"
      " -o GlobalKnownHostsFile=/dev/null -o UpdateHostKeys=no -o UserKnownHostsFile=",
      access.known_hosts_file,
      " -o IdentityAgent=none -o IdentitiesOnly=yes -o PasswordAuthentication=no"
      " -o KbdInteractiveAuthentication=no -o ClearAllForwardings=yes -o ForwardAgent=no"
      " -o PermitLocalCommand=no -o ProxyCommand=none -o ControlMaster=no -o ControlPath=none"
      " -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o ConnectTimeout=",
      kConnectSeconds);
  if (!access.ssh_key_file.empty()) absl::StrAppend(&command, " -i ", access.ssh_key_file);
  return command;
}

absl::StatusOr<GitOutput> RunRemote(const RemoteUrl& url, const RemoteAccess& access,
                                    const std::string& git_dir,
                                    std::vector<std::string> arguments) {
  RETURN_IF_ERROR(CheckFilePath("ca_file", access.ca_file));
  RETURN_IF_ERROR(CheckFilePath("ssh_key_file", access.ssh_key_file));
  RETURN_IF_ERROR(CheckFilePath("known_hosts_file", access.known_hosts_file));
  GitCommand command{.git_dir = git_dir,
                     .directory = git_dir.empty() ? "/" : "",
                     .arguments = std::move(arguments),
                     .timeout = access.timeout,
                     .protocol = url.scheme,
                     .file_bytes_max = access.bytes_max};
  std::vector<std::pair<std::string, std::string>> config = {{"credential.helper", ""},
                                                             {"core.askPass", ""}};
  if (url.scheme == "https") {
    RETURN_IF_ERROR(AddHttps(url, access, config));
  } else {
    ASSIGN_OR_RETURN(command.env["GIT_SSH_COMMAND"], SshCommand(access));
    command.env["GIT_SSH_VARIANT"] = "ssh";
  }
  command.env["GIT_CONFIG_COUNT"] = absl::StrCat(config.size());
  for (size_t i = 0; i < config.size(); ++i) {
    command.env[absl::StrCat("GIT_CONFIG_KEY_", i)] = config[i].first;
    command.env[absl::StrCat("GIT_CONFIG_VALUE_", i)] = config[i].second;
  }
  absl::StatusOr<GitOutput> output = RunGitCommand(command);
  if (absl::IsDeadlineExceeded(output.status())) {
    return RemoteUnreachable(url.ToText(), output.status().message());
  }
  return output;
}

bool HasAny(const std::string& text, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](const char* part) { return absl::StrContains(text, part); });
}

// What git, curl and ssh say, as one of our errors. Their words are in English: LC_ALL is C.
absl::Status RemoteError(const RemoteUrl& url, const RemoteAccess& access,
                         const GitOutput& output) {
  const std::string text = absl::StrCat(output.out, output.err);
  const std::string shown = url.ToText();
  if (HasAny(text, {"Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED",
                    "server certificate verification failed", "SSL certificate problem",
                    "server verification failed", "does not match target host name"})) {
    return RemoteHostUnknown(shown, text);
  }
  if (HasAny(text,
             {"Authentication failed", "could not read Username", "Permission denied",
              "The requested URL returned error: 401", "The requested URL returned error: 403"})) {
    return RemoteAuthRefused(shown, text);
  }
  if (HasAny(text, {"File too large", "unable to write file", "signal 25", "write error"})) {
    return RemoteTooLarge(shown, access.bytes_max);
  }
  return RemoteUnreachable(shown, text);
}

}  // namespace

std::string RemoteUrl::ToText() const {
  if (is_short) return absl::StrCat(user.empty() ? "" : absl::StrCat(user, "@"), host, ":", path);
  return absl::StrCat(scheme, "://", user.empty() ? "" : absl::StrCat(user, "@"), host, path);
}

absl::StatusOr<RemoteUrl> ParseRemoteUrl(const std::string& text) {
  if (text.size() > kUrlBytesMax) return RemoteUrlInvalid("", "it is too long");
  RemoteUrl url;
  absl::string_view rest = text;
  std::string authority;
  if (absl::ConsumePrefix(&rest, "https://")) {
    url.scheme = "https";
  } else if (absl::ConsumePrefix(&rest, "ssh://")) {
    url.scheme = "ssh";
  } else if (!absl::StrContains(text, "://") && absl::StrContains(text, ":")) {
    url.scheme = "ssh";
    const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
    authority = parts[0];
    url.path = parts[1];
    url.is_short = true;
  } else {
    return RemoteUrlInvalid(text, "give an absolute path, https:// or ssh://");
  }
  if (!url.is_short) {
    const size_t slash = std::min(rest.find('/'), rest.size());
    authority = std::string(rest.substr(0, slash));
    url.path = std::string(rest.substr(slash));
  }
  const size_t at = authority.rfind('@');
  if (at != std::string::npos) {
    url.user = authority.substr(0, at);
    authority.erase(0, at + 1);
    if (url.scheme == "https" || !IsPlain(url.user, "._-") || url.user.front() == '-') {
      return RemoteUrlInvalid("", "credentials belong into files, not into the URL");
    }
  }
  url.host = absl::AsciiStrToLower(authority);
  RETURN_IF_ERROR(CheckHost(text, url.host));
  if (url.path.size() < 2 || !IsPlain(url.path, "/._-+~") || url.path.front() == '-' ||
      absl::StartsWith(url.path, "../") || absl::StrContains(url.path, "/../") ||
      absl::EndsWith(url.path, "/..")) {
    return RemoteUrlInvalid(
        text, "its path must be of letters, digits and the characters /._-+~, without ..");
  }
  return url;
}

absl::StatusOr<std::vector<Ref>> ListRemoteRefs(const RemoteUrl& url, const RemoteAccess& access,
                                                const std::string& prefix, size_t limit) {
  RETURN_IF_ERROR(CheckRefName(absl::StrCat(prefix, absl::EndsWith(prefix, "/") ? "x" : "")));
  const std::string pattern = absl::StrCat(prefix, absl::EndsWith(prefix, "/") ? "*" : "");
  ASSIGN_OR_RETURN(
      const GitOutput output,
      RunRemote(url, access, "", {"ls-remote", "--quiet", "--refs", "--", url.ToText(), pattern}));
  if (output.exit_code != 0) return RemoteError(url, access, output);
  std::vector<Ref> refs;
  for (const absl::string_view line : absl::StrSplit(output.out, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(line, absl::MaxSplits('\t', 1));
    const absl::StatusOr<Oid> oid = Oid::Parse(parts.first);
    if (!oid.ok()) return RemoteUnreachable(url.ToText(), "it lists refs that cannot be read");
    // The pattern also matches below other names.
    if (!absl::StartsWith(parts.second, prefix)) continue;
    if (refs.size() >= limit) return ListTooLong("refs", limit);
    refs.push_back({.name = parts.second, .target = *oid});
  }
  return refs;
}

absl::Status FetchFromRemote(const Repository& mirror, const RemoteUrl& url,
                             const RemoteAccess& access, const std::vector<RefToFetch>& refs) {
  if (refs.empty()) return absl::OkStatus();
  std::vector<std::string> arguments;
  for (const char* flaw : kForgivenFlaws) {
    arguments.push_back("-c");
    arguments.push_back(absl::StrCat("fetch.fsck.", flaw, "=ignore"));
  }
  // A pack in one file, so that the limit of a file is the limit of a fetch.
  for (const char* argument :
       {"-c", "fetch.fsckObjects=true", "-c", "fetch.unpackLimit=1", "fetch", "--quiet",
        "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
        "--atomic", "--no-show-forced-updates", "--"}) {
    arguments.push_back(argument);
  }
  arguments.push_back(url.ToText());
  for (const RefToFetch& ref : refs) {
    RETURN_IF_ERROR(CheckRefName(ref.source));
    RETURN_IF_ERROR(CheckRefName(ref.target));
    arguments.push_back(absl::StrCat("+", ref.source, ":", ref.target));
  }
  ASSIGN_OR_RETURN(const GitOutput output,
                   RunRemote(url, access, mirror.path(), std::move(arguments)));
  if (output.exit_code == 0) return absl::OkStatus();
  if (absl::StrContains(output.err, "couldn't find remote ref")) {
    return BranchNotFound(url.ToText(), refs.front().source);
  }
  return RemoteError(url, access, output);
}

absl::Status PushToRemote(const Repository& mirror, const RemoteUrl& url,
                          const RemoteAccess& access, const Push& push) {
  RETURN_IF_ERROR(CheckRefName(push.ref));
  if (!mirror.Contains(push.target)) return ObjectMissing(push.target);
  if (push.expected_old.has_value()) {
    if (!mirror.Contains(*push.expected_old)) return NotFastForward(push.ref);
    ASSIGN_OR_RETURN(const bool forward, mirror.IsAncestor(*push.expected_old, push.target));
    if (!forward) return NotFastForward(push.ref);
  }
  const std::string old = push.expected_old.has_value() ? push.expected_old->ToHex() : "";
  ASSIGN_OR_RETURN(
      const GitOutput output,
      RunRemote(url, access, mirror.path(),
                {"push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed",
                 "--recurse-submodules=no", absl::StrCat("--force-with-lease=", push.ref, ":", old),
                 "--", url.ToText(), absl::StrCat(push.target.ToHex(), ":", push.ref)}));
  if (output.exit_code == 0) return absl::OkStatus();
  const std::string text = absl::StrCat(output.out, output.err);
  if (HasAny(text, {"stale info", "fetch first", "incorrect old value", "reference already exists",
                    "but expected", "cannot lock ref"})) {
    return push.expected_old.has_value() ? RefMoved(push.ref) : RefExists(push.ref);
  }
  if (HasAny(text, {"[remote rejected]", "pre-receive hook declined", "protected branch"})) {
    return RemoteRefused(url.ToText(), push.ref, text);
  }
  return RemoteError(url, access, output);
}

}  // namespace slipway::git
