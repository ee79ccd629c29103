#include "lib/git/sha1.h"

#include <openssl/evp.h>

namespace slipway::git {

std::string Sha1Checksum(absl::string_view bytes) {
  unsigned char checksum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), checksum, &size, EVP_sha1(), nullptr);
  return std::string(reinterpret_cast<const char*>(checksum), size);
}

}  // namespace slipway::git
