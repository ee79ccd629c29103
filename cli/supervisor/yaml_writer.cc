#include "cli/supervisor/yaml_writer.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace slipway::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// JSON strings are YAML's double-quoted scalars.
std::string Quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string DurationScalar(const Message& message) {
  const auto* seconds = message.GetDescriptor()->FindFieldByName("seconds");
  const auto* nanos = message.GetDescriptor()->FindFieldByName("nanos");
  const Reflection& reflection = *message.GetReflection();
  const absl::Duration duration = absl::Seconds(reflection.GetInt64(message, seconds)) +
                                  absl::Nanoseconds(reflection.GetInt32(message, nanos));
  return duration == absl::ZeroDuration() ? "0s" : absl::FormatDuration(duration);
}

bool IsDuration(const FieldDescriptor& field) {
  return field.message_type()->full_name() == google::protobuf::Duration::descriptor()->full_name();
}

class Writer final {
 public:
  std::string Write(const Message& message) {
    WriteFields(message, 0, /*first_inline=*/false);
    return text_.empty() ? "{}\n" : text_;
  }

 private:
  // The fields at `indent`; the first continues the line that a list dash began.
  void WriteFields(const Message& message, int indent, bool first_inline) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const FieldDescriptor* const field : fields) {
      if (!first_inline) text_.append(static_cast<size_t>(indent), ' ');
      first_inline = false;
      absl::StrAppend(&text_, field->name(), ":");
      if (field->is_repeated()) {
        WriteList(message, *field, indent);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        WriteMessage(message.GetReflection()->GetMessage(message, field), *field, indent);
      } else {
        absl::StrAppend(&text_, " ", Scalar(message, *field, -1), "\n");
      }
    }
  }

  void WriteMessage(const Message& value, const FieldDescriptor& field, int indent) {
    if (IsDuration(field)) {
      absl::StrAppend(&text_, " ", DurationScalar(value), "\n");
    } else if (IsEmpty(value)) {
      text_ += " {}\n";
    } else {
      text_ += "\n";
      WriteFields(value, indent + 2, /*first_inline=*/false);
    }
  }

  void WriteList(const Message& message, const FieldDescriptor& field, int indent) {
    text_ += "\n";
    const Reflection& reflection = *message.GetReflection();
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      text_.append(static_cast<size_t>(indent) + 2, ' ');
      text_ += "- ";
      if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
        absl::StrAppend(&text_, Scalar(message, field, i), "\n");
        continue;
      }
      const Message& value = reflection.GetRepeatedMessage(message, &field, i);
      if (IsEmpty(value)) {
        text_ += "{}\n";
      } else {
        WriteFields(value, indent + 4, /*first_inline=*/true);
      }
    }
  }

  static bool IsEmpty(const Message& message) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    return fields.empty();
  }

  // `index` is -1 for a field that is not a list.
  static std::string Scalar(const Message& message, const FieldDescriptor& field, int index) {
    const Reflection& reflection = *message.GetReflection();
    const bool list = index >= 0;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return Quoted(list ? reflection.GetRepeatedString(message, &field, index)
                           : reflection.GetString(message, &field));
      case FieldDescriptor::CPPTYPE_BOOL:
        return (list ? reflection.GetRepeatedBool(message, &field, index)
                     : reflection.GetBool(message, &field))
                   ? "true"
                   : "false";
      case FieldDescriptor::CPPTYPE_ENUM:
        return (list ? reflection.GetRepeatedEnum(message, &field, index)
                     : reflection.GetEnum(message, &field))
            ->name();
      case FieldDescriptor::CPPTYPE_INT32:
        return absl::StrCat(list ? reflection.GetRepeatedInt32(message, &field, index)
                                 : reflection.GetInt32(message, &field));
      case FieldDescriptor::CPPTYPE_INT64:
        return absl::StrCat(list ? reflection.GetRepeatedInt64(message, &field, index)
                                 : reflection.GetInt64(message, &field));
      case FieldDescriptor::CPPTYPE_UINT32:
        return absl::StrCat(list ? reflection.GetRepeatedUInt32(message, &field, index)
                                 : reflection.GetUInt32(message, &field));
      case FieldDescriptor::CPPTYPE_UINT64:
        return absl::StrCat(list ? reflection.GetRepeatedUInt64(message, &field, index)
                                 : reflection.GetUInt64(message, &field));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return nlohmann::json(list ? reflection.GetRepeatedDouble(message, &field, index)
                                   : reflection.GetDouble(message, &field))
            .dump();
      default:
        return "{}";
    }
  }

  std::string text_;
};

}  // namespace

std::string ToYaml(const google::protobuf::Message& message) { return Writer().Write(message); }

}  // namespace slipway::cli
