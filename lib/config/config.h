#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Configuration: one YAML document that is exactly one proto message.
//
// Keys are the proto's field names. Whatever is not certainly meant is refused, with file, line and
// column: unknown and repeated keys, nulls, values of another type, numbers out of range or with
// leading zeros, unknown enum values, two members of a oneof, merge keys, explicit tags, a second
// document. Durations are text with a unit ("30s", "500ms", "1h30m"); enum values are accepted in
// any case, with or without the prefix of their type. Nothing is interpolated: `${HOME}` is text.
namespace slipway::config {

// Far above any real file; they bound what a mistaken or hostile one costs.
inline constexpr size_t kFileBytesMax = 1 << 20;
inline constexpr int kNodesMax = 20'000;  // Counted as read, so aliases count each time.
inline constexpr int kDepthMax = 32;

// Reads `text` into `message`, which is unspecified after an error. Errors are INVALID_ARGUMENT
// (CONFIG_INVALID) and start with "<file_name>:<line>:<column>: ".
absl::Status ParseInto(absl::string_view text, absl::string_view file_name,
                       google::protobuf::Message& message);

// The same for the file at `path`, which must be readable: else CONFIG_UNREADABLE.
absl::Status LoadInto(const std::string& path, google::protobuf::Message& message);

template <typename T>
absl::StatusOr<T> Parse(absl::string_view text, absl::string_view file_name) {
  T message;
  absl::Status status = ParseInto(text, file_name, message);
  if (!status.ok()) return status;
  return message;
}

template <typename T>
absl::StatusOr<T> Load(const std::string& path) {
  T message;
  absl::Status status = LoadInto(path, message);
  if (!status.ok()) return status;
  return message;
}

}  // namespace slipway::config
