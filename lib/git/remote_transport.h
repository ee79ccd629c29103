#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/git/local_transport.h"
#include "lib/git/oid.h"
#include "lib/git/repository.h"

// Exchange between a bare mirror of ours and a repository on another machine, over https or ssh.
// All calls run the git command line in a clean environment and block. Beside what is said at each
// call they fail with RemoteUnreachable, RemoteAuthRefused, RemoteHostUnknown, RemoteTooLarge, or
// REMOTE_URL_INVALID.
namespace slipway::git {

// How a remote may be reached. Files are read at each call, so that secrets may be replaced.
struct RemoteAccess {
  std::string username;          // For https with a token; empty: "git".
  std::string token_file;        // One line; empty: https without credentials.
  std::string ca_file;           // PEM; empty: what the machine trusts.
  std::string ssh_key_file;      // Without a passphrase, mode 0600.
  std::string known_hosts_file;  // Keys of hosts: a host without one is refused.
  absl::Duration timeout = absl::Minutes(10);
  int64_t bytes_max = int64_t{4} << 30;  // Of one pack that is received.
};

// "https://host[:port]/path", "ssh://[user@]host[:port]/path" or "[user@]host:path".
struct RemoteUrl {
  std::string scheme;  // "https" or "ssh"
  std::string user;    // Of ssh.
  std::string host;    // With its port, when it has one: "git.example.com:8443".
  std::string path;
  bool is_short = false;  // "user@host:path", whose path may begin in the user's directory.

  std::string ToText() const;
};

// Refuses what git or ssh could take for an option, and URLs with a password in them.
absl::StatusOr<RemoteUrl> ParseRemoteUrl(const std::string& text);

// The refs whose names begin with `prefix`. ListTooLong.
absl::StatusOr<std::vector<Ref>> ListRemoteRefs(const RemoteUrl& url, const RemoteAccess& access,
                                                const std::string& prefix, size_t limit);

// As FetchFromLocal. BranchNotFound when a source ref is missing.
absl::Status FetchFromRemote(const Repository& mirror, const RemoteUrl& url,
                             const RemoteAccess& access, const std::vector<RefToFetch>& refs);

// As PushToLocal: a compare-and-swap of the remote's ref. RefMoved, RefExists, NotFastForward, or
// RemoteRefused when the remote's rules do not let it happen.
absl::Status PushToRemote(const Repository& mirror, const RemoteUrl& url,
                          const RemoteAccess& access, const Push& push);

}  // namespace slipway::git
