#include "lib/config/config.h"

#include <yaml-cpp/yaml.h>

#include <exception>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/file.h"
#include "lib/base/utf8.h"
#include "lib/config/yaml_reader.h"

namespace slipway::config {
namespace {

// yaml-cpp and we agree on the meaning of UTF-8 without NUL only.
bool IsPlainText(absl::string_view text) {
  return text.find('\0') == absl::string_view::npos && base::ToUtf8(text, text.size()) == text;
}

}  // namespace

absl::Status ParseInto(absl::string_view text, absl::string_view file_name,
                       google::protobuf::Message& message) {
  YamlReader reader(file_name);
  if (text.size() > kFileBytesMax) {
    return reader.Error(YAML::Mark(), absl::StrCat("larger than ", kFileBytesMax, " bytes"));
  }
  if (!IsPlainText(text)) return reader.Error(YAML::Mark(), "not UTF-8 text");
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.empty() || documents[0].IsNull()) {
      return reader.Error(YAML::Mark(), "the file is empty; write {} for all defaults");
    }
    if (documents.size() > 1) {
      return reader.Error(documents[1].Mark(), "a second document; only one is allowed");
    }
    message.Clear();
    return reader.ReadDocument(documents[0], message);
  } catch (const YAML::Exception& error) {
    return reader.Error(error.mark, error.msg);
  } catch (const std::exception& error) {
    return reader.Error(YAML::Mark(), error.what());
  }
}

absl::Status LoadInto(const std::string& path, google::protobuf::Message& message) {
  if (path.empty()) {
    return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_UNREADABLE",
                       "no configuration file; name one with --config");
  }
  const absl::StatusOr<std::string> text = base::ReadFile(path, kFileBytesMax);
  if (!text.ok()) {
    return base::Error(absl::StatusCode::kInvalidArgument, "CONFIG_UNREADABLE",
                       absl::StrCat("cannot read the configuration: ", text.status().message()),
                       {{"file", path}});
  }
  return ParseInto(*text, path, message);
}

}  // namespace slipway::config
