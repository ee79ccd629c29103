#include "lib/patch/blob_id.h"

#include <openssl/evp.h>

#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace slipway::patch {

std::string GitBlobId(absl::string_view content) {
  std::string header = absl::StrCat("blob ", content.size());
  header.push_back('\0');
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr);
  EVP_DigestUpdate(context.get(), header.data(), header.size());
  EVP_DigestUpdate(context.get(), content.data(), content.size());
  EVP_DigestFinal_ex(context.get(), digest, &size);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

}  // namespace slipway::patch
