#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/models/cassette/cassette_entry.h"

namespace slipway::models {

// Takes credentials out of what is kept: those that the secret rules of lib/policy find, values of
// headers that authorize, and the keys that this service itself holds or issues. Thread-safe.
class Redactor final {
 public:
  // `known` are secrets to take out wherever they stand; short ones are ignored.
  explicit Redactor(std::vector<std::string> known = {});

  // `entry` without credentials, and with the digest of what is left of its prompt.
  void Redact(CassetteEntry& entry) const;

  // The digest by which an entry for that prompt is found again. Names of the plan do not count.
  std::string DigestOf(const CassetteEntry& entry) const;

 private:
  std::string Clean(absl::string_view text, int& replaced) const;
  // The same of every text in a JSON document; of the document itself where it is none.
  std::string CleanJson(const std::string& text, int& replaced) const;

  std::vector<std::string> known_;
};

}  // namespace slipway::models
