#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace slipway::base {

// Makes ids and secrets that were never made before. Thread-safe.
class IdGenerator {
 public:
  virtual ~IdGenerator() = default;

  // `prefix`, "-" and a short unique suffix of [a-z0-9]; fits resource names.
  virtual std::string NewId(absl::string_view prefix) = 0;

  // The same with a longer suffix, whose order is that of the times, to the millisecond, at which
  // the ids were made: for ids of which there are millions, so that new ones come to lie side by
  // side in an index. By default any new id.
  virtual std::string NewOrderedId(absl::string_view prefix) { return NewId(prefix); }

  // `prefix` and 256 unguessable bits in [A-Za-z0-9_-]: for keys and tokens.
  virtual std::string NewSecret(absl::string_view prefix) = 0;
};

// Draws from the kernel's random source; lives as long as the process.
IdGenerator& RandomIds();

}  // namespace slipway::base
