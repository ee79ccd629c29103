#include "lib/testkit/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace slipway::testkit {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

constexpr long kVersion3 = 2;

Key NewKey() { return Key(EVP_EC_gen("P-256"), EVP_PKEY_free); }

void AddExtension(X509& certificate, X509& issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  X509_add_ext(&certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate NewCertificate(const std::string& name, int serial, EVP_PKEY& key, X509_NAME* issuer,
                           absl::Duration valid) {
  Certificate certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), kVersion3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  const long end = absl::ToInt64Seconds(valid);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), end - 24 * 3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), end);
  X509_set_pubkey(certificate.get(), &key);
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), issuer != nullptr ? issuer : subject);
  return certificate;
}

template <typename Write>
void WriteFile(const std::string& path, Write write) {
  std::FILE* const file = std::fopen(path.c_str(), "w");
  EXPECT_TRUE(file != nullptr) << path;
  EXPECT_TRUE(write(file) == 1) << path;
  std::fclose(file);
}

}  // namespace

struct CertificateAuthority::Signer {
  Key key = NewKey();
  Certificate certificate = NewCertificate("test authority", 1, *key, nullptr, absl::Hours(1));
};

CertificateAuthority::CertificateAuthority() : signer_(new Signer) {
  X509& own = *signer_->certificate;
  AddExtension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(own, own, NID_key_usage, "critical,keyCertSign");
  AddExtension(own, own, NID_subject_key_identifier, "hash");
  X509_sign(&own, signer_->key.get(), EVP_sha256());
  WriteFile(file(), [&](std::FILE* out) { return PEM_write_X509(out, &own); });
}

CertificateAuthority::~CertificateAuthority() { delete signer_; }

CertificateFiles CertificateAuthority::Issue(const Request& request) {
  const int serial = ++issued_ + 1;
  const Key key = NewKey();
  X509& issuer = *signer_->certificate;
  const Certificate certificate = NewCertificate(absl::StrCat("test ", serial), serial, *key,
                                                 X509_get_subject_name(&issuer), request.valid);
  const bool server = !request.address.empty();
  AddExtension(*certificate, issuer, NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(*certificate, issuer, NID_ext_key_usage, server ? "serverAuth" : "clientAuth");
  AddExtension(*certificate, issuer, NID_authority_key_identifier, "keyid");
  if (server) {
    AddExtension(*certificate, issuer, NID_subject_alt_name, absl::StrCat("IP:", request.address));
  }
  X509_sign(certificate.get(), signer_->key.get(), EVP_sha256());
  CertificateFiles files{directory_.File(absl::StrCat(serial, ".pem")),
                         directory_.File(absl::StrCat(serial, ".key"))};
  WriteFile(files.certificate,
            [&](std::FILE* out) { return PEM_write_X509(out, certificate.get()); });
  WriteFile(files.key, [&](std::FILE* out) {
    return PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return files;
}

}  // namespace slipway::testkit
