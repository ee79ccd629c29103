#pragma once

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace slipway::config {

// The text of a YAML scalar. Quoted text is a string whatever it looks like.
struct Scalar {
  std::string text;
  bool quoted = false;
};

// Each says in its error, which has no position, what was expected instead.
absl::StatusOr<bool> ToBool(const Scalar& scalar);
absl::StatusOr<int64_t> ToSigned(const Scalar& scalar, int64_t low, int64_t high);
absl::StatusOr<uint64_t> ToUnsigned(const Scalar& scalar, uint64_t high);
absl::StatusOr<double> ToDouble(const Scalar& scalar, double magnitude_max);
absl::StatusOr<absl::Duration> ToDuration(const Scalar& scalar);
absl::StatusOr<const google::protobuf::EnumValueDescriptor*> ToEnum(
    const Scalar& scalar, const google::protobuf::EnumDescriptor& type);

}  // namespace slipway::config
