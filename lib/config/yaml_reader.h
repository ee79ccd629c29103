#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <yaml-cpp/yaml.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/config/scalar.h"

namespace slipway::config {

// Walks one YAML document along the descriptor of a message and sets its fields. For one document.
class YamlReader final {
 public:
  explicit YamlReader(absl::string_view file_name) : file_name_(file_name) {}

  absl::Status ReadDocument(const YAML::Node& root, google::protobuf::Message& message);

  // CONFIG_INVALID at a position.
  absl::Status Error(const YAML::Mark& mark, absl::string_view what) const;

 private:
  using FieldDescriptor = google::protobuf::FieldDescriptor;
  using Message = google::protobuf::Message;

  absl::Status ReadMessage(const YAML::Node& node, int depth, Message& message);
  absl::Status ReadField(const YAML::Node& key, const YAML::Node& value, int depth,
                         Message& message);
  absl::Status ReadList(const YAML::Node& node, const FieldDescriptor& field, int depth,
                        Message& message);
  absl::Status ReadMap(const YAML::Node& node, const FieldDescriptor& field, int depth,
                       Message& message);
  absl::Status ReadSubmessage(const YAML::Node& node, const FieldDescriptor& field, int depth,
                              Message& message);
  // Sets `field`, or adds to it when it is repeated.
  absl::Status ReadValue(const YAML::Node& node, const FieldDescriptor& field, int depth,
                         Message& message);
  absl::Status ReadScalar(const Scalar& scalar, const FieldDescriptor& field, Message& message);

  // Counts the node and refuses nulls, explicit tags and what exceeds the limits.
  absl::Status Enter(const YAML::Node& node, const YAML::Mark& fallback, int depth);
  absl::StatusOr<std::string> ReadKey(const YAML::Node& key);
  absl::StatusOr<Scalar> ScalarOf(const YAML::Node& node, const std::string& field) const;

  const std::string file_name_;
  int nodes_ = 0;
};

}  // namespace slipway::config
