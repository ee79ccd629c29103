#pragma once

#include <string>

#include "absl/time/time.h"
#include "lib/testkit/temporary_directory.h"

namespace slipway::testkit {

// A certificate and its key as PEM files.
struct CertificateFiles {
  std::string certificate;
  std::string key;
};

// An authority that signs certificates for tests; its files are gone with it.
class CertificateAuthority final {
 public:
  struct Request {
    std::string address;                    // Numeric, for a server; empty: for a client.
    absl::Duration valid = absl::Hours(1);  // Negative: it has expired.
  };

  CertificateAuthority();
  ~CertificateAuthority();
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;

  std::string file() const { return directory_.File("ca.pem"); }
  CertificateFiles Issue(const Request& request);

 private:
  struct Signer;

  TemporaryDirectory directory_;
  Signer* const signer_;
  int issued_ = 0;
};

}  // namespace slipway::testkit
