#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace slipway::rpc {

// PEM files of one side of a TLS connection.
struct TlsFiles {
  std::string certificate;  // A server needs one.
  std::string key;
  // What the other side's certificate is checked with. Of a server: empty asks clients for none.
  // Of a client: empty means the system's authorities.
  std::string authorities;
  std::string server_name;  // Of a client: what the certificate says, if not the address's host.

  bool empty() const { return certificate.empty() && authorities.empty(); }
};

// Both fail with TLS_FILES_INVALID, which names the file that cannot be read.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerTls(const TlsFiles& files);
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientTls(const TlsFiles& files);

}  // namespace slipway::rpc
