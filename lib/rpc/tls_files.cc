#include "lib/rpc/tls_files.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/status_macros.h"

namespace slipway::rpc {
namespace {

constexpr size_t kPemBytesMax = 1 << 20;  // The authorities of a system are 220 KiB.
constexpr char kSystemAuthorities[] = "/etc/ssl/certs/ca-certificates.crt";

absl::Status Invalid(const std::string& file, absl::string_view problem) {
  return base::Error(absl::StatusCode::kInvalidArgument, "TLS_FILES_INVALID",
                     absl::StrCat("'", file, "' ", problem), {{"file", file}});
}

absl::StatusOr<std::string> ReadPem(const std::string& file) {
  if (file.empty()) return std::string();
  absl::StatusOr<std::string> text = base::ReadFile(file, kPemBytesMax);
  if (!text.ok()) return Invalid(file, absl::StrCat("cannot be read: ", text.status().message()));
  if (!absl::StrContains(*text, "-----BEGIN ")) return Invalid(file, "is not PEM");
  return text;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerTls(const TlsFiles& files) {
  if (files.certificate.empty() || files.key.empty()) {
    return Invalid(files.certificate, "needs a certificate_file and a key_file");
  }
  ASSIGN_OR_RETURN(std::string certificate, ReadPem(files.certificate));
  ASSIGN_OR_RETURN(std::string key, ReadPem(files.key));
  grpc::SslServerCredentialsOptions options(
      files.authorities.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem(files.authorities));
  options.pem_key_cert_pairs.push_back({std::move(key), std::move(certificate)});
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientTls(const TlsFiles& files) {
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs,
                   ReadPem(files.authorities.empty() ? kSystemAuthorities : files.authorities));
  ASSIGN_OR_RETURN(options.pem_cert_chain, ReadPem(files.certificate));
  ASSIGN_OR_RETURN(options.pem_private_key, ReadPem(files.key));
  return grpc::SslCredentials(options);
}

}  // namespace slipway::rpc
