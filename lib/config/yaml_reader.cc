#include "lib/config/yaml_reader.h"

#include <google/protobuf/duration.pb.h>

#include <limits>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/config/config.h"
#include "lib/config/suggestion.h"

namespace slipway::config {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;

constexpr char kPlainTag[] = "?";   // yaml-cpp's tag of untagged, unquoted nodes.
constexpr char kQuotedTag[] = "!";  // And of quoted scalars.

std::string UnknownField(const std::string& name, const Descriptor& type) {
  std::vector<std::string> known;
  for (int i = 0; i < type.field_count(); ++i) known.push_back(type.field(i)->name());
  return absl::StrCat("unknown field '", name, "' in ", type.name(), DidYouMean(name, known));
}

// Sets or, for a repeated field, adds; `suffix` is the name of the type in Reflection.
#define SLIPWAY_STORE(suffix, value)                                     \
  (field.is_repeated() ? reflection.Add##suffix(&message, &field, value) \
                       : reflection.Set##suffix(&message, &field, value))

absl::Status StoreNumber(const Scalar& scalar, const FieldDescriptor& field, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      using Limits = std::numeric_limits<int32_t>;
      ASSIGN_OR_RETURN(const int64_t value, ToSigned(scalar, Limits::min(), Limits::max()));
      SLIPWAY_STORE(Int32, static_cast<int32_t>(value));
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      using Limits = std::numeric_limits<int64_t>;
      ASSIGN_OR_RETURN(const int64_t value, ToSigned(scalar, Limits::min(), Limits::max()));
      SLIPWAY_STORE(Int64, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      ASSIGN_OR_RETURN(const uint64_t value,
                       ToUnsigned(scalar, std::numeric_limits<uint32_t>::max()));
      SLIPWAY_STORE(UInt32, static_cast<uint32_t>(value));
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      ASSIGN_OR_RETURN(const uint64_t value,
                       ToUnsigned(scalar, std::numeric_limits<uint64_t>::max()));
      SLIPWAY_STORE(UInt64, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_FLOAT: {
      ASSIGN_OR_RETURN(const double value, ToDouble(scalar, std::numeric_limits<float>::max()));
      SLIPWAY_STORE(Float, static_cast<float>(value));
      return absl::OkStatus();
    }
    default: {
      ASSIGN_OR_RETURN(const double value, ToDouble(scalar, std::numeric_limits<double>::max()));
      SLIPWAY_STORE(Double, value);
      return absl::OkStatus();
    }
  }
}

}  // namespace

absl::Status YamlReader::ReadDocument(const YAML::Node& root, Message& message) {
  RETURN_IF_ERROR(Enter(root, YAML::Mark(), /*depth=*/0));
  return ReadMessage(root, /*depth=*/0, message);
}

absl::Status YamlReader::Error(const YAML::Mark& mark, absl::string_view what) const {
  const int line = mark.is_null() ? 1 : mark.line + 1;
  const int column = mark.is_null() ? 1 : mark.column + 1;
  return base::Error(
      absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
      absl::StrCat(file_name_, ":", line, ":", column, ": ", what),
      {{"file", file_name_}, {"line", absl::StrCat(line)}, {"column", absl::StrCat(column)}});
}

absl::Status YamlReader::ReadMessage(const YAML::Node& node, int depth, Message& message) {
  const std::string& type = message.GetDescriptor()->name();
  if (!node.IsMap()) {
    return Error(node.Mark(), absl::StrCat("expected the fields of ", type, " as 'name: value'"));
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    ASSIGN_OR_RETURN(const std::string name, ReadKey(entry.first));
    if (!seen.insert(name).second) {
      return Error(entry.first.Mark(), absl::StrCat("'", name, "' is given twice"));
    }
    RETURN_IF_ERROR(ReadField(entry.first, entry.second, depth + 1, message));
  }
  return absl::OkStatus();
}

absl::Status YamlReader::ReadField(const YAML::Node& key, const YAML::Node& value, int depth,
                                   Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  const std::string& name = key.Scalar();
  const FieldDescriptor* field = type.FindFieldByName(name);
  if (field == nullptr) return Error(key.Mark(), UnknownField(name, type));
  if (const auto* oneof = field->real_containing_oneof(); oneof != nullptr) {
    const FieldDescriptor* other = message.GetReflection()->GetOneofFieldDescriptor(message, oneof);
    if (other != nullptr) {
      return Error(key.Mark(), absl::StrCat("'", name, "' and '", other->name(),
                                            "' exclude each other; keep one of them"));
    }
  }
  RETURN_IF_ERROR(Enter(value, key.Mark(), depth));
  if (field->is_map()) return ReadMap(value, *field, depth, message);
  if (field->is_repeated()) return ReadList(value, *field, depth, message);
  return ReadValue(value, *field, depth, message);
}

absl::Status YamlReader::ReadList(const YAML::Node& node, const FieldDescriptor& field, int depth,
                                  Message& message) {
  if (!node.IsSequence()) {
    return Error(node.Mark(), absl::StrCat("expected a list for '", field.name(), "'"));
  }
  for (const YAML::Node& element : node) {
    RETURN_IF_ERROR(Enter(element, element.Mark(), depth + 1));
    RETURN_IF_ERROR(ReadValue(element, field, depth + 1, message));
  }
  return absl::OkStatus();
}

absl::Status YamlReader::ReadMap(const YAML::Node& node, const FieldDescriptor& field, int depth,
                                 Message& message) {
  if (!node.IsMap()) {
    return Error(node.Mark(),
                 absl::StrCat("expected 'key: value' lines for the map '", field.name(), "'"));
  }
  const FieldDescriptor& key_field = *field.message_type()->map_key();
  const FieldDescriptor& value_field = *field.message_type()->map_value();
  std::set<std::string> seen;
  for (const auto& pair : node) {
    ASSIGN_OR_RETURN(const std::string key, ReadKey(pair.first));
    if (!seen.insert(key).second) {
      return Error(pair.first.Mark(), absl::StrCat("'", key, "' is given twice"));
    }
    Message& entry = *message.GetReflection()->AddMessage(&message, &field);
    RETURN_IF_ERROR(ReadValue(pair.first, key_field, depth + 1, entry));
    RETURN_IF_ERROR(Enter(pair.second, pair.first.Mark(), depth + 1));
    RETURN_IF_ERROR(ReadValue(pair.second, value_field, depth + 1, entry));
  }
  return absl::OkStatus();
}

absl::Status YamlReader::ReadSubmessage(const YAML::Node& node, const FieldDescriptor& field,
                                        int depth, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  Message& child = field.is_repeated() ? *reflection.AddMessage(&message, &field)
                                       : *reflection.MutableMessage(&message, &field);
  const std::string& type = field.message_type()->full_name();
  if (type != google::protobuf::Duration::descriptor()->full_name()) {
    if (absl::StartsWith(type, "google.protobuf.")) {
      return Error(node.Mark(), absl::StrCat("a ", type, " cannot be configured"));
    }
    return ReadMessage(node, depth, child);
  }
  ASSIGN_OR_RETURN(const Scalar scalar, ScalarOf(node, field.name()));
  const absl::StatusOr<absl::Duration> parsed = ToDuration(scalar);
  if (!parsed.ok()) {
    return Error(node.Mark(), absl::StrCat("'", field.name(), "': ", parsed.status().message()));
  }
  absl::Duration rest = *parsed;
  const Descriptor& duration = *child.GetDescriptor();
  child.GetReflection()->SetInt64(&child, duration.FindFieldByNumber(1),
                                  absl::IDivDuration(rest, absl::Seconds(1), &rest));
  child.GetReflection()->SetInt32(&child, duration.FindFieldByNumber(2),
                                  static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return absl::OkStatus();
}

absl::Status YamlReader::ReadValue(const YAML::Node& node, const FieldDescriptor& field, int depth,
                                   Message& message) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return ReadSubmessage(node, field, depth, message);
  }
  ASSIGN_OR_RETURN(const Scalar scalar, ScalarOf(node, field.name()));
  const absl::Status status = ReadScalar(scalar, field, message);
  if (status.ok()) return status;
  return Error(node.Mark(), absl::StrCat("'", field.name(), "': ", status.message()));
}

absl::Status YamlReader::ReadScalar(const Scalar& scalar, const FieldDescriptor& field,
                                    Message& message) {
  const Reflection& reflection = *message.GetReflection();
  if (field.type() == FieldDescriptor::TYPE_BYTES) {
    return absl::InvalidArgumentError("bytes cannot be configured; name a file instead");
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      SLIPWAY_STORE(String, scalar.text);
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_BOOL: {
      ASSIGN_OR_RETURN(const bool value, ToBool(scalar));
      SLIPWAY_STORE(Bool, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      ASSIGN_OR_RETURN(const auto* value, ToEnum(scalar, *field.enum_type()));
      SLIPWAY_STORE(Enum, value);
      return absl::OkStatus();
    }
    default:
      return StoreNumber(scalar, field, message);
  }
}

#undef SLIPWAY_STORE

absl::Status YamlReader::Enter(const YAML::Node& node, const YAML::Mark& fallback, int depth) {
  const YAML::Mark mark = node.Mark().is_null() ? fallback : node.Mark();
  if (++nodes_ > kNodesMax) {
    return Error(mark, absl::StrCat("more than ", kNodesMax, " values; aliases count each time"));
  }
  if (depth > kDepthMax) return Error(mark, absl::StrCat("nested deeper than ", kDepthMax));
  if (!node.IsDefined() || node.IsNull()) {
    // yaml-cpp puts an empty value where the next token is: name the line of its key instead.
    return Error(mark.line == fallback.line ? mark : fallback,
                 "the value is missing; leave the key out for its default");
  }
  const std::string& tag = node.Tag();
  if (!tag.empty() && tag != kPlainTag && tag != kQuotedTag) {
    return Error(mark, absl::StrCat("the tag '", tag, "' is not allowed"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> YamlReader::ReadKey(const YAML::Node& key) {
  RETURN_IF_ERROR(Enter(key, YAML::Mark(), /*depth=*/0));
  if (!key.IsScalar()) return Error(key.Mark(), "a key must be plain text");
  if (key.Scalar() == "<<" && key.Tag() != kQuotedTag) {
    return Error(key.Mark(), "merge keys ('<<') are not allowed; write the fields out");
  }
  return key.Scalar();
}

absl::StatusOr<Scalar> YamlReader::ScalarOf(const YAML::Node& node,
                                            const std::string& field) const {
  if (!node.IsScalar()) {
    return Error(node.Mark(), absl::StrCat("expected a single value for '", field, "', not a ",
                                           node.IsMap() ? "map" : "list"));
  }
  return Scalar{.text = node.Scalar(), .quoted = node.Tag() == kQuotedTag};
}

}  // namespace slipway::config
